package launch

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Browser is one that is on this machine.
type Browser struct {
	Name    string // chromium, chrome, edge, brave or firefox
	Path    string
	firefox bool
}

// browserPlaces are where browsers are, by name, in the order of preference:
// those that need nothing but arguments come first. A name without a folder is looked up in PATH.
var browserPlaces = map[string][]struct{ name, path string }{
	"linux": {
		{"chromium", "chromium"}, {"chromium", "chromium-browser"}, {"chrome", "google-chrome"}, {"chrome", "google-chrome-stable"},
		{"edge", "microsoft-edge"}, {"edge", "microsoft-edge-stable"}, {"brave", "brave-browser"},
		{"firefox", "firefox"}, {"firefox", "firefox-esr"},
	},
	"darwin": {
		{"chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"}, {"chromium", "/Applications/Chromium.app/Contents/MacOS/Chromium"},
		{"edge", "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge"}, {"brave", "/Applications/Brave Browser.app/Contents/MacOS/Brave Browser"},
		{"firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"},
	},
	"windows": {
		{"chrome", `${ProgramFiles}\Google\Chrome\Application\chrome.exe`}, {"chrome", `${ProgramFiles(x86)}\Google\Chrome\Application\chrome.exe`},
		{"chrome", `${LocalAppData}\Google\Chrome\Application\chrome.exe`}, {"edge", `${ProgramFiles(x86)}\Microsoft\Edge\Application\msedge.exe`},
		{"edge", `${ProgramFiles}\Microsoft\Edge\Application\msedge.exe`}, {"firefox", `${ProgramFiles}\Mozilla Firefox\firefox.exe`},
	},
}

// Browsers are those on this machine, the preferred one first.
func Browsers() (all []Browser) {
	places, known := browserPlaces[runtime.GOOS]
	if !known {
		places = browserPlaces["linux"]
	}
	for _, p := range places {
		if path, err := exec.LookPath(os.ExpandEnv(p.path)); err == nil {
			all = append(all, Browser{Name: p.name, Path: path, firefox: p.name == "firefox"})
		}
	}
	return all
}

// Profile makes a throw-away profile in dir that uses the proxy at addr and
// trusts the certificate authority in caFile, and gives the arguments with
// which the browser takes it.
func (b Browser) Profile(dir, addr, caFile string) ([]string, error) {
	if err := private(dir); err != nil {
		return nil, err
	}
	if b.firefox {
		return firefoxProfile(dir, addr, caFile)
	}
	return chromiumProfile(dir, addr, caFile)
}

// nowhere is a name that no server has (RFC 6761, 6.4).
const nowhere = "own-traffic.invalid"

func chromiumProfile(dir, addr, caFile string) ([]string, error) {
	key, err := publicKeySum(caFile)
	if err != nil {
		return nil, err
	}
	args := []string{
		"--user-data-dir=" + dir,
		"--proxy-server=http://" + addr,
		"--proxy-bypass-list=<-loopback>;" + nowhere,   // loopback is no exception
		"--ignore-certificate-errors-spki-list=" + key, // this authority alone; the profile has to be given, too
		"--no-first-run", "--no-default-browser-check", // no questions
		// No traffic of the browser's own, as far as it lets itself be told.
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-domain-reliability",
		"--disable-default-apps", "--disable-extensions", "--disable-component-extensions-with-background-pages",
		"--disable-client-side-phishing-detection", "--disable-search-engine-choice-screen", "--allow-browser-signin=false",
		"--disable-features=OptimizationHints,Translate,NetworkTimeServiceQuerying,MediaRouter,InterestFeedContentSuggestions",
		// It asks who is signed in, and for updates, whatever the switches above say (Chromium's google_apis/gaia/gaia_switches.cc and
		// components/component_updater): those questions alone go to a name that does not exist. Pages reach these hosts as ever.
		"--gaia-url=https://" + nowhere, "--component-updater=url-source=https://" + nowhere + "/",
		"--password-store=basic", "--use-mock-keychain", // nothing of the user's is asked for
		"--test-type", // no bar that warns of the list of keys above
	}
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // it does not start for root otherwise
	}
	return args, nil
}

// Environ is the environment in which the browser writes nowhere but below dir, the folder
// of its profile: reports of crashes and caches have places of their own otherwise, and
// GTK keeps its settings in memory.
func (b Browser) Environ(environ []string, dir string) []string {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return environ
	}
	return append(slices.Clone(environ), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"),
		"GSETTINGS_BACKEND=memory", "MOZ_CRASHREPORTER_DISABLE=1",
		"MOZ_REMOTE_SETTINGS_DEVTOOLS=1") // releases of Firefox ignore services.settings.server otherwise
}

// publicKeySum is the base64 of the SHA-256 of the public key of the certificate in a file.
func publicKeySum(caFile string) (string, error) {
	text, err := os.ReadFile(caFile)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", fmt.Errorf("%s: no certificate", caFile)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("%s: %w", caFile, err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// ErrNoCertutil says that NSS' tool is missing, without which a profile of Firefox cannot be told to trust anybody.
var ErrNoCertutil = errors.New("certutil of NSS is not on this machine")

// firefoxPrefs are those of a profile: the proxy, for loopback too, and no traffic of the browser's own.
// It asks where a download goes: of itself it makes a folder for them in the user's home.
const firefoxPrefs = `user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "@HOST@");
user_pref("network.proxy.http_port", @PORT@);
user_pref("network.proxy.ssl", "@HOST@");
user_pref("network.proxy.ssl_port", @PORT@);
user_pref("network.proxy.no_proxies_on", "");
user_pref("network.proxy.allow_hijacking_localhost", true);
user_pref("network.http.http3.enable", false);
user_pref("network.trr.mode", 5);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.prefetch-next", false);
user_pref("browser.region.network.url", "");
user_pref("browser.region.update.enabled", false);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.startup.page", 0);
user_pref("browser.newtabpage.enabled", false);
user_pref("browser.download.dir", "@DIR@/downloads");
user_pref("browser.download.folderList", 2);
user_pref("browser.download.useDownloadDir", false);
user_pref("browser.newtab.preload", false);
user_pref("browser.newtabpage.activity-stream.unifiedAds.endpoint", "");
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.usage.uploadEnabled", false);
user_pref("dom.push.connection.enabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("media.gmp-widevinecdm.enabled", false);
user_pref("media.gmp-gmpopenh264.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
user_pref("toolkit.telemetry.server", "");
user_pref("toolkit.telemetry.unified", false);
user_pref("trailhead.firstrun.didSeeAboutWelcome", true);
`

func firefoxProfile(dir, addr, caFile string) ([]string, error) {
	tool, err := exec.LookPath("certutil")
	if err != nil || runtime.GOOS == "windows" { // there it is another program
		return nil, ErrNoCertutil
	}
	for _, args := range [][]string{
		{"-N", "-d", "sql:" + dir, "--empty-password"},
		{"-A", "-d", "sql:" + dir, "-n", "why403", "-t", "C,,", "-i", caFile},
	} {
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("certutil %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
		}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	prefs := strings.NewReplacer("@HOST@", host, "@PORT@", port, "@DIR@", filepath.ToSlash(dir)).Replace(firefoxPrefs)
	if err := replace(filepath.Join(dir, "user.js"), []byte(prefs)); err != nil {
		return nil, err
	}
	return []string{"-no-remote", "-new-instance", "-profile", dir}, nil
}
