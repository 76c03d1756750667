package main

import (
	"errors"

	"github.com/spf13/pflag"

	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/waf"
)

// wafFlag says for which refused requests a firewall is simulated.
type wafFlag string

func (w *wafFlag) String() string { return string(*w) }
func (w *wafFlag) Type() string   { return "when" }

func (w *wafFlag) Set(when string) error {
	switch when {
	case "auto", "always", "never":
		*w = wafFlag(when)
		return nil
	}
	return errors.New("give auto, always or never")
}

func (w *wafFlag) add(flags *pflag.FlagSet) {
	*w = "auto"
	flags.Var(w, "waf", "run refused requests through the OWASP Core Rule Set, `when`: auto (where it can matter), always or never")
}

// heed makes the explaining simulate a firewall. The rules are loaded at the first request that is run.
func (w *wafFlag) heed(o explain.Options) explain.Options {
	if *w != "never" {
		o.WAF, o.WAFAlways = new(waf.Engine), *w == "always"
	}
	return o
}
