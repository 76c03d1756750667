package launch

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
)

// Shells are those that Script writes for.
var Shells = []string{"bash", "zsh", "fish", "powershell", "cmd"}

// dialect is how a shell says what Script has to say.
type dialect struct {
	set, unset func(s Setting) string
	// off is what defines the command that undoes it, of the lines that do.
	off func(lines []string) string
	// use is how the user makes the shell read the script, for the comment at its end.
	comment, use string
}

var dialects = map[string]dialect{
	"bash": posix, "zsh": posix,
	"fish": {
		set:     func(s Setting) string { return "set -gx " + s.Name + " " + fishQuoted(s.Value) },
		unset:   func(s Setting) string { return "set -eg " + s.Name },
		off:     block("function why403_off", "functions -e why403_off", "end"),
		comment: "# ", use: "why403 env --shell fish | source",
	},
	"powershell": {
		set:     func(s Setting) string { return "$env:" + s.Name + " = " + powerQuoted(s.Value) },
		unset:   func(s Setting) string { return "Remove-Item -ErrorAction SilentlyContinue Env:" + s.Name },
		off:     block("function global:why403_off {", "Remove-Item function:why403_off", "}"),
		comment: "# ", use: "why403 env --shell powershell | Out-String | Invoke-Expression",
	},
	"cmd": {
		set:   func(s Setting) string { return `set "` + s.Name + "=" + s.Value + `"` },
		unset: func(s Setting) string { return `set "` + s.Name + `="` },
		off: func(lines []string) string { // a macro of the console: "$T" parts commands, and "$$" is "$"
			for i, l := range lines {
				lines[i] = strings.ReplaceAll(l, "$", "$$")
			}
			return "doskey why403_off=" + strings.Join(lines, " $T ")
		},
		comment: "rem ", use: `for /f "delims=" %i in ('why403 env --shell cmd') do @%i`,
	},
}

var posix = dialect{
	set:     func(s Setting) string { return "export " + s.Name + "=" + posixQuoted(s.Value) },
	unset:   func(s Setting) string { return "unset " + s.Name },
	off:     block("why403_off() {", "unset -f why403_off", "}"),
	comment: "# ", use: `eval "$(why403 env)"`,
}

func block(begin, last, end string) func([]string) string {
	return func(lines []string) string {
		return strings.Join(slices.Concat([]string{begin}, lines, []string{last, end}), "\n")
	}
}

// posixQuoted: inside of single quotes nothing is special but the quote itself (POSIX, 2.2.2).
func posixQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// fishQuoted: inside of single quotes a backslash escapes itself and the quote (fish, "Quotes").
func fishQuoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// powerQuoted: a quote is doubled, and the curly ones are quotes too (about_Quoting_Rules).
func powerQuoted(s string) string {
	return "'" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(s) + "'"
}

// Script is what a shell reads to give the clients that it starts the settings
// of a kit, and a command why403_off that gives back what was before, which environ says.
func Script(shell string, settings []Setting, environ []string) (string, error) {
	d, known := dialects[shell]
	if !known {
		return "", fmt.Errorf("%q is no shell that is known here", shell)
	}
	before := lookup(environ)
	var set, undo []string
	for _, s := range settings {
		old, there := before[s.Name]
		if strings.ContainsAny(s.Value+old, "\r\n") || shell == "cmd" && strings.Contains(s.Value+old, `"`) {
			continue // cannot be said in a line
		}
		set = append(set, d.set(s))
		if there {
			undo = append(undo, d.set(Setting{s.Name, old}))
		} else {
			undo = append(undo, d.unset(s))
		}
	}
	return strings.Join(slices.Concat(set, []string{d.off(undo), d.comment + "read it with: " + d.use, d.comment + "undo it with: why403_off"}), "\n") + "\n", nil
}

// ShellOf is the shell to write for, of the name of the process that asks and $SHELL.
func ShellOf(parent, variable string) string {
	for _, name := range []string{parent, path.Base(strings.ReplaceAll(variable, `\`, "/"))} {
		name = strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(name), "-"), ".exe")
		switch name {
		case "pwsh":
			return "powershell"
		case "sh", "dash", "ksh", "ash", "mksh", "busybox":
			return "bash"
		}
		if slices.Contains(Shells, name) {
			return name
		}
	}
	if runtime.GOOS == "windows" {
		return "powershell"
	}
	return "bash"
}
