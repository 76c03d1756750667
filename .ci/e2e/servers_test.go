//go:build e2e

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// shop is the Django application and the nginx before it.
type shop struct {
	tap   *tap   // every byte that reaches Django goes through it
	plain string // http URL of the application, without nginx
	front string // http URL of nginx
	tls   string // https URL of nginx, for localhost
	ca    string // file of the throw-away CA that signed nginx's certificate
}

// order is what Django stored of one accepted POST.
type order struct {
	ID   int             `json:"id"`
	Body json.RawMessage `json:"body"`
}

func openShop(t *testing.T) *shop {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &shop{}
	s.tap = openTap(t, startDjango(t, dir))
	s.plain = "http://" + s.tap.address
	s.ca = makeCA(t, dir)
	s.startNginx(t, dir)
	return s
}

// startDjango gives the address of the application.
func startDjango(t *testing.T, dir string) string {
	t.Helper()
	said := &output{}
	cmd := exec.Command("/usr/bin/python3", "testdata/shop.py")
	cmd.Stdout, cmd.Env = said, append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	p := start(t, cmd)
	var port string
	waitUntil(t, "Django's port", func() bool {
		line, whole := strings.CutSuffix(said.String(), "\n")
		if port = line; !whole && p.ended() {
			t.Fatal("the Django application ended at once")
		}
		return whole
	})
	return "127.0.0.1:" + port
}

func (s *shop) startNginx(t *testing.T, dir string) {
	t.Helper()
	plain, secure := freePort(t), freePort(t)
	s.front, s.tls = fmt.Sprintf("http://127.0.0.1:%d", plain), fmt.Sprintf("https://localhost:%d", secure)
	template, err := os.ReadFile("testdata/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf := strings.NewReplacer("@DIR@", dir, "@PORT@", strconv.Itoa(plain), "@TLS_PORT@", strconv.Itoa(secure), "@APP@", s.tap.address).Replace(string(template))
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "welcome.txt"), []byte("welcome\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := start(t, exec.Command("nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")))
	listens(t, p, strings.TrimPrefix(s.front, "http://"))
	listens(t, p, fmt.Sprintf("127.0.0.1:%d", secure))
}

// makeCA leaves ca.crt, server.crt and server.key in dir and gives the first one's name.
func makeCA(t *testing.T, dir string) string {
	t.Helper()
	const script = `set -e
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
openssl req -x509 $key -days 2 -subj '/CN=throw-away CA of the end-to-end tests' -keyout ca.key -out ca.crt -addext keyUsage=critical,keyCertSign
openssl req $key -subj /CN=localhost -keyout server.key -out server.csr
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >server.ext
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.crt`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make certificates: %v\n%s", err, out)
	}
	return filepath.Join(dir, "ca.crt")
}

// orders asks nginx, directly, for what Django stored.
func (s *shop) orders(t *testing.T) []order {
	t.Helper()
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Get(s.tls + "/orders")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var all []order
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		t.Fatalf("GET /orders: %v", err)
	}
	return all
}
