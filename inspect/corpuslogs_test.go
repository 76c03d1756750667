package inspect_test

import "github.com/why403/why403/inspect/explain"

func (c *corpusCase) options() explain.Options { return explain.Options{} }
