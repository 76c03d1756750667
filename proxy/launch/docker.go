package launch

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// inside is where a container sees the files of a kit.
const inside = "/why403"

// Docker are the arguments of `docker run` (podman's are the same) that give a container what
// clients of the proxy on port need. dir is laid out for it, and a file of variables beside it.
//
// On Linux the container shares the network of this machine, for the proxy
// listens on loopback; Docker Desktop leads host.docker.internal there.
func Docker(dir, port string, ca []byte, linux bool) ([]string, error) {
	args, host := []string{"--network=host"}, "127.0.0.1"
	if !linux {
		args, host = []string{"--add-host=host.docker.internal:host-gateway"}, "host.docker.internal"
	}
	// Of the variables and of the Java inside nothing is known here.
	kit, err := Lay(dir, Options{Proxy: "http://" + host + ":" + port, CA: ca, JavaHome: os.DevNull})
	if err != nil {
		return nil, err
	}
	var env bytes.Buffer
	for _, s := range kit.Settings {
		if s.Name != "WHY403_CHILD_SESSION" {
			fmt.Fprintf(&env, "%s=%s\n", s.Name, strings.ReplaceAll(s.Value, dir+string(filepath.Separator), inside+"/"))
		}
	}
	file := dir + ".env" // a value may have blanks, which the words of a command line may not
	if err := replace(file, env.Bytes()); err != nil {
		return nil, err
	}
	args = append(args, "--volume="+dir+":"+inside+":ro", "--env-file="+file)
	return args, opened(dir)
}

// opened lets every user inside of a container read dir. Outside, the folder around it is closed to others.
func opened(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.Chmod(path, 0o755) //nolint:gosec // see above
		case d.Type().IsRegular():
			return os.Chmod(path, 0o644) //nolint:gosec // see above
		}
		return errors.New(path + " is no file of a kit")
	})
}
