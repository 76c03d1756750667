//go:build e2e

package e2e

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/certs"
)

// buildPeers builds the module in grpc, whose dependencies are fetched if need be.
func buildPeers(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "peers")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = "grpc"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build in .ci/e2e/grpc: %v\n%s", err, out)
	}
	return path
}

// leafFiles writes a certificate for name, its key, and the authority that signed it.
func leafFiles(t *testing.T, name string) (cert, key, ca string) {
	t.Helper()
	dir := t.TempDir()
	authority, err := certs.Ephemeral(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := authority.Leaf(t.Context(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var chain []byte
	for _, c := range leaf.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	cert, key, ca = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	for file, data := range map[string][]byte{cert: chain, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), ca: authority.PEM()} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, ca
}

// call is a flow of gRPC in a session.
type call struct {
	Request  struct{ URL string }
	Response struct {
		Status   int
		Trailers []struct{ Name, Value string } `json:"_trailers"`
	}
	Error string `json:"_error"`
	Own   struct {
		Altered  []string
		Messages []struct{ Type, Kind, Data string }
	} `json:"_why403"`
}

func (c call) trailer(name string) string {
	for _, f := range c.Response.Trailers {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// TestGRPC has grpc-go call grpc-go: one answer, a refusal, a deadline, streams
// of the server, of the client and of both, where each message waits for the
// one before. Both ends must see what they see without the proxy, and the
// session must hold the calls with their status.
func TestGRPC(t *testing.T) {
	peers := buildPeers(t)
	for _, secure := range []bool{true, false} {
		name, cert, key, ca := "h2c", "", "", ""
		if secure {
			name = "TLS"
			cert, key, ca = leafFiles(t, "app.localhost")
		}
		t.Run(name, func(t *testing.T) {
			env := home(t)
			server := exec.Command(peers, "server", cert, key)
			server.Env = env
			s := start(t, server)
			port := ""
			waitUntil(t, "the server's address", func() bool {
				port = between(s.out.String(), "listening on 127.0.0.1:", "\n")
				return port != ""
			})
			// heard is what the server printed since it was asked last.
			said := len(s.out.String())
			heard := func() string {
				t.Helper()
				waitUntil(t, "the server's word on every call", func() bool { return strings.Count(s.out.String()[said:], "\n") == 8 })
				lines := strings.Split(strings.TrimSpace(s.out.String()[said:]), "\n")
				said = len(s.out.String())
				slices.Sort(lines)
				return strings.Join(lines, "\n")
			}
			direct := run(t, env, peers, "client", "127.0.0.1:"+port, ca)
			want := heard()
			if direct.code != 0 || strings.Count(direct.out, "\n") != 8 {
				t.Fatalf("without the proxy: %s", direct)
			}

			session := filepath.Join(t.TempDir(), "grpc.why403")
			args := []string{"--session", session}
			if secure {
				args = append(args, "--upstream-ca", ca)
			}
			c := startCapture(t, env, args...)
			trusted := ca
			if secure {
				trusted = c.ca
			}
			through := run(t, append(env, "HTTPS_PROXY=http://"+c.address), peers, "client", "app.localhost:"+port, trusted)
			if through.out != direct.out || through.code != 0 {
				t.Errorf("the client saw\n%s\nand without the proxy\n%s", through, direct)
			}
			if got := heard(); got != want {
				t.Errorf("the server saw\n%s\nand without the proxy\n%s", got, want)
			}
			waitUntil(t, "the last call", func() bool { return c.count() >= 7 })
			c.stop()
			checkCalls(t, env, session)
		})
	}
}

// checkCalls looks for the calls of a client in a session.
func checkCalls(t *testing.T, env []string, session string) {
	t.Helper()
	r := run(t, env, program, "export", session, "--as", "har", "--reveal")
	var har struct{ Log struct{ Entries []call } }
	if err := json.Unmarshal([]byte(r.out), &har); err != nil || r.code != 0 {
		t.Fatalf("%v: %s", err, r)
	}
	got := map[string][]string{}
	for _, e := range har.Log.Entries {
		_, method, _ := strings.Cut(e.Request.URL, "/why403.test.Echo/")
		status := e.trailer("grpc-status")
		if status == "4" && e.Error == "" { // the server's word that the time is over, if it is the first
			status = ""
		} else if (status == "") != (e.Error != "") {
			t.Errorf("%s: status %q and error %q", method, status, e.Error)
		}
		got[method] = append(got[method], status)
		if len(e.Own.Altered) > 0 {
			t.Errorf("%s: altered %q", method, e.Own.Altered)
		}
		if method == "Talk" && len(e.Own.Messages) != 10 {
			t.Errorf("Talk: %d messages are recorded, want 10", len(e.Own.Messages))
		}
	}
	// In order: an answer, a large one, a refusal (7), and one whose time is over ("").
	for method, want := range map[string]string{"Say": "0 0 7 ", "Count": "0", "Sum": "0", "Talk": "8"} {
		if have := strings.Join(got[method], " "); have != want {
			t.Errorf("%s ended with %q, want %q", method, have, want)
		}
	}
}
