package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/why403/why403/inspect/logs"
)

// logTail is how many bytes of the end of a log are read.
const logTail = 64 << 20

// readLogs reads the last part of each log that --log names.
func readLogs(args []string) ([]logs.Source, error) {
	var sources []logs.Source
	for _, a := range args {
		label, name := labelled(a)
		if label == "" {
			label = filepath.Base(name)
		}
		lines, err := lastLines(name, logTail)
		if err != nil {
			return nil, failed(fmt.Errorf("--log: %w", err), "give the log file of the server as [LABEL=]FILE")
		}
		sources = append(sources, logs.Source{Label: label, Lines: lines})
	}
	return sources, nil
}

// lastLines are the lines in the last most bytes of a file.
func lastLines(name string, most int64) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New(name + " is a folder")
	}
	cut := info.Size() > most
	if cut {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, err
	}
	if _, rest, ok := bytes.Cut(text, []byte("\n")); cut && ok {
		text = rest // what is left of a line says nothing
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), nil
}
