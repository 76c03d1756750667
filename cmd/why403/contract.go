package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/openapi"
)

// contractFlags name the contracts that requests are compared with.
type contractFlags struct{ files []string }

func (o *contractFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&o.files, "openapi", nil, "`FILE` with the API's OpenAPI 3.0 or 3.1 document (JSON or YAML), to compare refused requests with")
}

// read makes the explaining heed the contracts.
func (o *contractFlags) read(with explain.Options) (explain.Options, error) {
	var docs []*openapi.Doc
	for _, name := range o.files {
		data, err := os.ReadFile(name)
		if err != nil {
			return with, failed(fmt.Errorf("--openapi: %w", err), "give the file with the API's OpenAPI document")
		}
		d, err := openapi.Load(data)
		if err != nil {
			return with, failed(fmt.Errorf("--openapi %s: %w", name, err), "give an OpenAPI 3.0 or 3.1 document; tools such as swagger2openapi convert older ones")
		}
		docs = append(docs, d)
	}
	if len(docs) > 0 {
		with.Contract = explain.FromOpenAPI(docs)
	}
	return with, nil
}
