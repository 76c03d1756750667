package certs

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/adrg/xdg"
)

// DefaultDir is where the CA is kept when the user names no other folder: why403/ca below the data folder of the system
// ($XDG_DATA_HOME or ~/.local/share; ~/Library/Application Support on macOS; %LOCALAPPDATA% on Windows).
// It is computed at each call from the environment of that moment, and creates nothing.
func DefaultDir() string { return filepath.Join(dataHome(), "why403", "ca") }

// dataHome follows xdg.DataHome, which is a snapshot of the environment at start; xdg.Reload would refresh it, but races with whoever reads it.
func dataHome() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) { // XDG Base Directory 0.8: a relative path is invalid and ignored
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return xdg.DataHome
	}
	switch runtime.GOOS {
	case "windows":
		if dir := os.Getenv("LOCALAPPDATA"); filepath.IsAbs(dir) {
			return dir
		}
		return filepath.Join(home, "AppData", "Local")
	case "darwin", "ios":
		return filepath.Join(home, "Library", "Application Support")
	case "plan9":
		return filepath.Join(home, "lib")
	}
	return filepath.Join(home, ".local", "share")
}
