package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	certFile = "ca.pem"     // the certificate, 0644
	keyFile  = "ca-key.pem" // the key and a copy of the certificate it was made with, 0600
	fileMax  = 64 << 10     // bytes read of either

	tempPattern = ".why403-ca-*.tmp"
	tempLife    = time.Hour // an older one was left behind by a process that was killed
)

// folder is where a CA is kept.
//
// A CA comes into being in one step, when its finished key file gets its name: ca-key.pem holds the certificate too, and ca.pem is a copy of it
// for everybody else. So there is no moment at which a second process could see half a CA, and none at which a kill leaves one.
type folder string

func (d folder) cert() string { return filepath.Join(string(d), certFile) }
func (d folder) key() string  { return filepath.Join(string(d), keyFile) }

func (d folder) fault(path string, err error, advice string) error {
	return &Error{Path: path, Err: err, Advice: advice}
}

// fault blames the CA's certificate.
func (ca *CA) fault(err error) error {
	if ca.folder == "" {
		return &Error{Path: ca.cert.Subject.CommonName, Err: err, Advice: "start again: a CA in memory is made anew at each start"}
	}
	return &Error{Path: ca.folder.cert(), Err: err, Advice: adviceNew(string(ca.folder))}
}

// Load reads the CA kept in dir. now is the clock that the CA and its leaves live by; nil is time.Now.
//
// It refuses, with an *Error that says what to do, a key that other users can use (ErrExposed, on Unix: any permission for group or others on the
// key, write permission on the folder), files that cannot be read, parsed (ErrGarbage) or do not belong together (ErrMismatch, ErrHalf), and a
// certificate that is out of its life (ErrExpired, ErrTooEarly) or not a CA's (ErrNotCA). An empty or missing folder is fs.ErrNotExist.
// The one thing it may write is a lost ca.pem, which it restores from the key file.
func Load(dir string, now func() time.Time) (*CA, error) {
	now = orWallClock(now)
	d, err := open(dir)
	if err != nil {
		return nil, err
	}
	if err := d.checkSelf(); err != nil {
		return nil, err
	}
	keyPEM, mode, err := d.readKey()
	if err != nil {
		return nil, err
	}
	certBytes, err := d.readCert(keyPEM)
	if err != nil {
		return nil, err
	}
	cert, err := d.parseCert(certBytes)
	if err != nil {
		return nil, err
	}
	key, err := d.parseKey(keyPEM)
	if err != nil {
		return nil, err
	}
	if err := d.check(cert, key, now()); err != nil {
		return nil, err
	}
	d.sweep(now())
	return d.ca(cert, key, mode, now)
}

// Create makes a new CA in dir, which it creates with mode 0700 if need be. Nothing is overwritten: if dir holds a CA, or a part of one, the error
// is fs.ErrExist. Of several processes that create at once exactly one succeeds (on file systems with hard links; on others the
// losing ones may find the winner's key half written and say so, and are right at their next start).
func Create(dir string, now func() time.Time) (*CA, error) {
	return create(dir, orWallClock(now), os.Link)
}

// LoadOrCreate reads the CA kept in dir, or makes one if there is none. Processes that start at once end with the same CA.
func LoadOrCreate(dir string, now func() time.Time) (*CA, error) {
	ca, err := Load(dir, now)
	if !errors.Is(err, fs.ErrNotExist) {
		return ca, err
	}
	ca, err = Create(dir, now)
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return Load(dir, now)
	}
	return ca, err
}

// linker gives a file a second name, which must be free; os.Link.
type linker func(old, new string) error

func create(dir string, now func() time.Time, link linker) (*CA, error) {
	d, err := open(dir)
	if err != nil {
		return nil, err
	}
	if err := d.make(); err != nil {
		return nil, err
	}
	for _, path := range []string{d.key(), d.cert()} {
		if _, err := os.Lstat(path); err == nil {
			return nil, d.taken(path)
		}
	}
	cert, key, err := generate(now())
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("ca: encode the key: %w", err)
	}
	public := certPEM(cert)
	private := append(pem.EncodeToMemory(&pem.Block{Type: blockKey, Bytes: der}), public...)
	if err := d.publish(d.key(), private, 0o600, link); err != nil {
		return nil, err
	}
	if err := d.restoreCert(public, link); err != nil {
		return nil, err
	}
	d.sweep(now())
	info, err := os.Stat(d.key())
	if err != nil {
		return nil, d.fault(d.key(), plain(err), "check that the folder is on a working disk")
	}
	return d.ca(cert, key, info.Mode().Perm(), now)
}

func open(dir string) (folder, error) {
	if dir == "" {
		return "", &Error{Path: "folder", Err: errors.New("no name given"), Advice: "name one with --ca-dir, or set HOME"}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", &Error{Path: dir, Err: err, Advice: "give an absolute path with --ca-dir"}
	}
	return folder(abs), nil
}

// make creates the folder, or checks the one that is there.
func (d folder) make() error {
	advice := "name a folder that you can write with --ca-dir"
	if err := os.MkdirAll(filepath.Dir(string(d)), 0o700); err != nil {
		return d.fault(string(d), plain(err), advice)
	}
	if err := os.Mkdir(string(d), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return d.fault(string(d), plain(err), advice)
	}
	return d.checkSelf()
}

func (d folder) checkSelf() error {
	info, err := os.Stat(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return d.absent()
	}
	if err != nil {
		return d.fault(string(d), plain(err), "make it readable for you, or name another folder with --ca-dir")
	}
	if !info.IsDir() {
		return d.fault(string(d), errors.New("not a folder"), "name a folder with --ca-dir")
	}
	if grants(info.Mode(), 0o022) {
		return d.fault(string(d), fmt.Errorf("mode %04o: %w", info.Mode().Perm(), ErrExposed),
			"chmod 700 "+quoted(string(d))+", or name a folder of your own with --ca-dir")
	}
	return nil
}

func (d folder) absent() error {
	return d.fault(string(d), fmt.Errorf("no CA here: %w", fs.ErrNotExist), "start why403 once, it makes one")
}

func (d folder) taken(path string) error {
	return d.fault(path, fs.ErrExist, "use the CA that is there, or "+adviceNew(string(d)))
}

// readKey reads the key file and its permission bits.
func (d folder) readKey() ([]byte, fs.FileMode, error) {
	data, mode, err := d.read(d.key(), 0o077)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, mode, err
	}
	if _, err := os.Lstat(d.cert()); err != nil {
		return nil, 0, d.absent()
	}
	// ca.pem is written after the key. So if it is there, the key has been there too, unless it was taken away.
	data, mode, err = d.read(d.key(), 0o077)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, d.fault(d.key(), ErrHalf, "put the key back beside "+quoted(d.cert())+", or "+adviceNew(string(d)))
	}
	return data, mode, err
}

// readCert reads ca.pem, and restores it first if only the copy in the key file is left.
func (d folder) readCert(keyPEM []byte) ([]byte, error) {
	data, _, err := d.read(d.cert(), 0)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	block := firstBlock(keyPEM, isCert)
	if block == nil {
		return nil, d.fault(d.cert(), ErrHalf, "put the certificate back beside "+quoted(d.key())+", or "+adviceNew(string(d)))
	}
	public := pem.EncodeToMemory(&pem.Block{Type: blockCert, Bytes: block.Bytes})
	return public, d.restoreCert(public, os.Link)
}

// read reads a regular file of at most fileMax bytes whose mode has none of the forbidden bits.
func (d folder) read(path string, forbidden fs.FileMode) ([]byte, fs.FileMode, error) {
	unreadable := "make it readable for you, or name another folder with --ca-dir"
	info, err := os.Stat(path) // before opening: opening a pipe would wait for its writer
	if err == nil && !info.Mode().IsRegular() {
		return nil, 0, d.fault(path, errors.New("not a regular file"), adviceNew(string(d)))
	}
	if err != nil {
		return nil, 0, d.fault(path, plain(err), unreadable)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, d.fault(path, plain(err), unreadable)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil { // of what was opened, not of what the name means by now
		return nil, 0, d.fault(path, plain(err), unreadable)
	}
	mode := info.Mode().Perm()
	if grants(mode, forbidden) {
		return nil, 0, d.fault(path, fmt.Errorf("mode %04o: %w", mode, ErrExposed),
			"chmod 600 "+quoted(path)+"; if somebody may have read it, rather "+adviceNew(string(d)))
	}
	data, err := io.ReadAll(io.LimitReader(f, fileMax+1))
	if err != nil {
		return nil, 0, d.fault(path, plain(err), unreadable)
	}
	if len(data) > fileMax {
		return nil, 0, d.fault(path, fmt.Errorf("%w: larger than %d KiB", ErrGarbage, fileMax>>10), adviceNew(string(d)))
	}
	return data, mode, nil
}

// restoreCert writes ca.pem. A file of that name is left alone; it is fine if it has the same content, as when two processes restore at once.
func (d folder) restoreCert(public []byte, link linker) error {
	err := d.publish(d.cert(), public, 0o644, link)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, _, err := d.read(d.cert(), 0)
	if err == nil && !bytes.Equal(there, public) {
		return d.fault(d.cert(), ErrMismatch, adviceNew(string(d)))
	}
	return err
}

// publish writes a file under a temporary name and then gives it its own, which must be free (fs.ErrExist): nobody ever reads half of it.
func (d folder) publish(path string, data []byte, mode fs.FileMode, link linker) (err error) {
	defer func() {
		switch {
		case errors.Is(err, fs.ErrExist):
			err = d.taken(path)
		case err != nil:
			err = d.fault(path, plain(err), "name a folder that you can write with --ca-dir")
		}
	}()
	f, err := os.CreateTemp(string(d), tempPattern) // O_CREATE|O_EXCL, 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := fill(f, data, mode); err != nil {
		return err
	}
	if err = link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		err = writeExclusively(path, data, mode) // no hard links on this file system
	}
	if err == nil {
		syncDir(string(d))
	}
	return err
}

func writeExclusively(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := fill(f, data, mode); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// fill writes data to f, opens it up to mode, and closes it when it is safe on disk.
func fill(f *os.File, data []byte, mode fs.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Chmod(f.Name(), mode)
}

// sweep removes temporary files, which may hold a key, of processes that were killed. It is no fault if one stays.
func (d folder) sweep(now time.Time) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return
	}
	for _, e := range entries {
		if match, _ := filepath.Match(tempPattern, e.Name()); !match || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > tempLife {
			_ = os.Remove(filepath.Join(string(d), e.Name()))
		}
	}
}

func (d folder) ca(cert *x509.Certificate, key crypto.Signer, mode fs.FileMode, now func() time.Time) (*CA, error) {
	ca, err := newCA(cert, key, now)
	if err != nil {
		return nil, err
	}
	ca.folder, ca.mode = d, mode
	return ca, nil
}

// plain takes the path out of an error of package os: the Error around it names it already.
func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", strings.TrimSuffix(path.Op, "at"), path.Err)
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return fmt.Errorf("%s: %w", link.Op, link.Err)
	}
	return err
}
