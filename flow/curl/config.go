package curl

import (
	"strings"

	"github.com/why403/why403/flow"
)

// Config is the command as a configuration that curl reads (curl --config FILE), so that what
// the request holds stands on no command line, where all users of a machine can read it. The body
// has to be in the file called body; without a body that is not read. Variables are not filled in.
func Config(f *flow.Flow, o Options, body string) (string, error) {
	o.Variables = nil
	c, err := newCommand(f, o)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, line := range c.plain {
		option, value := line[0], line[1]
		switch option {
		case "--data-raw", "--data-binary":
			option, value = "--data-binary", "@"+body
		}
		b.WriteString(option)
		if value != "" {
			b.WriteString(` "` + configEscapes.Replace(value) + `"`)
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}

// configEscapes are those that a value in double quotes has (curl(1), --config).
var configEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\v", `\v`)
