package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor times in /proc (proc(5), sysconf(_SC_CLK_TCK)); on Linux it is always this.
const tick = 10 * time.Millisecond

// processor is the processor time that a process has used.
func processor(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold anything
	words := strings.Fields(rest)
	if len(words) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	var sum int64
	for _, w := range words[11:13] { // utime, stime
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return time.Duration(sum) * tick, nil
}

// share is how much of one core a process uses during d, in percent.
func share(pid int, d time.Duration) (float64, error) {
	before, err := processor(pid)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	time.Sleep(d)
	after, err := processor(pid)
	return 100 * float64(after-before) / float64(time.Since(begun)), err
}

// resident is the memory that a process has in RAM, in MB.
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1000, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status tells no VmRSS", pid)
}
