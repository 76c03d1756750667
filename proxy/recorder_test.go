package proxy

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/why403/why403/flow"
)

// memory is a Recorder that keeps everything and checks the order of the calls.
type memory struct {
	mu    sync.Mutex
	flows map[flow.ID]*recorded
	fault []string
	moved chan struct{} // closed and replaced at every call
}

type recorded struct {
	flow     *flow.Flow
	reqBody  []byte
	respBody []byte
	sizes    map[flow.PartKind]int64
	frames   map[flow.PartKind][]byte
	messages []flow.Frame // the same, one by one
	headPart *flow.Message
	ended    bool
}

func newMemory() *memory { return &memory{flows: map[flow.ID]*recorded{}, moved: make(chan struct{})} }

func (m *memory) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	close(m.moved)
	m.moved = make(chan struct{})
}

func (m *memory) Begin(f *flow.Flow) (id flow.ID) {
	m.change(func() {
		id = flow.ID(len(m.flows) + 1)
		f.ID = id
		m.flows[id] = &recorded{flow: f, sizes: map[flow.PartKind]int64{}, frames: map[flow.PartKind][]byte{}}
	})
	return id
}

func (m *memory) Append(id flow.ID, p flow.Part) {
	m.change(func() {
		r := m.flows[id]
		if r == nil || r.ended {
			m.fault = append(m.fault, fmt.Sprintf("a part of flow %d, which is not open", id))
			return
		}
		if p.Size == 0 {
			p.Size = int64(len(p.Data))
		}
		r.sizes[p.Kind] += p.Size
		switch p.Kind {
		case flow.RequestBody:
			r.reqBody = append(r.reqBody, p.Data...)
		case flow.ResponseBody:
			if r.headPart == nil {
				m.fault = append(m.fault, fmt.Sprintf("flow %d: body before head", id))
			}
			r.respBody = append(r.respBody, p.Data...)
		case flow.InterimHead:
			r.flow.Interim = append(r.flow.Interim, p.Head)
		case flow.ResponseHead:
			r.headPart = p.Head
		default:
			r.messages = append(r.messages, flow.Frame{FromClient: p.Kind == flow.ClientFrame, Kind: p.Frame, Packed: p.Packed, Cut: p.Cut, Data: bytes.Clone(p.Data)})
			r.frames[p.Kind] = append(r.frames[p.Kind], p.Data...)
		}
	})
}

func (m *memory) End(id flow.ID, o flow.Outcome) {
	m.change(func() {
		r := m.flows[id]
		if r == nil || r.ended {
			m.fault = append(m.fault, fmt.Sprintf("end of flow %d, which is not open", id))
			return
		}
		r.ended = true
		if o.Request != nil {
			r.flow.Request = o.Request
		}
		if o.Authority != "" {
			r.flow.Scheme, r.flow.Authority = o.Scheme, o.Authority
		}
		r.flow.Response, r.flow.Times, r.flow.Conn, r.flow.Altered, r.flow.Fidelity, r.flow.Err = o.Response, o.Times, o.Conn, o.Altered, o.Fidelity, o.Err
	})
}

// wait returns flow id when ready says so; nil when that does not come to be.
func (m *memory) wait(t testing.TB, id flow.ID, ready func(*recorded) bool) *recorded {
	t.Helper()
	deadline := time.After(patience)
	for {
		m.mu.Lock()
		r, moved := m.flows[id], m.moved
		if r != nil && ready(r) {
			m.mu.Unlock()
			return r
		}
		m.mu.Unlock()
		select {
		case <-moved:
		case <-deadline:
			t.Fatalf("flow %d does not come to what is waited for: %+v", id, r)
		}
	}
}

// done waits for the end of flow id.
func (m *memory) done(t testing.TB, id flow.ID) *recorded {
	t.Helper()
	return m.wait(t, id, func(r *recorded) bool { return r.ended })
}

func (m *memory) checkAllEnded(t testing.TB) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(m.flows)) {
		if !m.flows[id].ended {
			t.Errorf("flow %d was begun and not ended", id)
		}
	}
	for _, f := range m.fault {
		t.Error(f)
	}
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.flows)
}
