package ui

import (
	"image/color"
	"reflect"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

func TestPrepared(t *testing.T) {
	s := lipgloss.NewStyle()
	ink, ground := color.RGBA{1, 2, 3, 255}, color.RGBA{4, 4, 4, 255}
	for _, c := range []struct {
		look lipgloss.Style
		want style
	}{
		{s, ""},
		{s.Foreground(ink), "38;2;1;2;3"},
		{s.Bold(true).Foreground(ink).Background(ground), "1;38;2;1;2;3;48;2;4;4;4"},
		{s.Reverse(true), "7"},
		{s.Bold(true).Underline(true).Background(ground), "1;4;48;2;4;4;4"},
	} {
		if got := prepare(c.look); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestThemesAreWhole: a style that was forgotten would draw in the terminal's own colour.
func TestThemesAreWhole(t *testing.T) {
	for _, th := range []*theme{dark(), light(), strongDark(), strongLight()} {
		v := reflect.ValueOf(*th)
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.String && f.String() == "" {
				t.Errorf("%s has no %s", th.name, v.Type().Field(i).Name)
			}
		}
	}
}

// TestBoxOverWideText puts a box's edges into the middle of text that takes two cells a letter.
func TestBoxOverWideText(t *testing.T) {
	screen := make([]string, 6)
	for i := range screen {
		screen[i] = strings.Repeat("注", 10)
	}
	over(screen, "╭───╮\n│ x │\n╰───╯")
	for i, r := range screen {
		if n := ansi.StringWidth(r); n != 20 {
			t.Errorf("row %d is %d cells wide: %q", i, n, ansi.Strip(r))
		}
	}
	if got := ansi.Strip(screen[2]); got != "注注注 │ x │注注注注" {
		t.Errorf("%q", got)
	}
}
