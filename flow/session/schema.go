package session

import (
	"context"
	"fmt"
	"os"
)

// applicationID marks the file as ours in its header: "w403" (SQLite file format, 1.3.14).
const applicationID = 0x77343033

// migrations bring a file from version i to i+1 (PRAGMA user_version); the
// first makes an empty one ours. A released one is never changed.
//
// Table flow is what lists need, in id order: the row and the note as blobs,
// since a scan of 100,000 rows must fit into a tenth of a second. The rest of
// a flow stands in record, its bodies as chunks in body (bodyKey; a number is
// the place of a chunk in the file beside, see spill.go), messages of
// upgraded connections and of bodies in frame (bodyKey too; what column size
// holds beside the size says frameRow.word). What is known of TLS connections,
// much of it the same for all flows of a host, stands in tls, once a host: it goes with
// the host's last flow. endpoint and host number the keys by
// which histories are asked for; their columns are BLOBs because what comes
// over the wire need not be UTF-8.
var migrations = []string{`
CREATE TABLE flow (
	id INTEGER PRIMARY KEY,
	rev INTEGER NOT NULL,
	open INTEGER NOT NULL,     -- 1: had not ended when this was written
	endpoint INTEGER NOT NULL, -- endpoint.id
	host INTEGER NOT NULL,     -- host.id
	row BLOB NOT NULL,
	note BLOB
);
CREATE INDEX flow_rev ON flow (rev);
CREATE INDEX flow_endpoint ON flow (endpoint);
CREATE INDEX flow_host ON flow (host);
CREATE INDEX flow_open ON flow (open) WHERE open = 1;
CREATE TABLE endpoint (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE);
CREATE TABLE host (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE);
CREATE TABLE record (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE body (key INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE frame (key INTEGER PRIMARY KEY, at INTEGER NOT NULL, size INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE verdict (id INTEGER PRIMARY KEY, json BLOB NOT NULL);
CREATE TABLE session (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	created INTEGER NOT NULL,  -- Unix time, nanoseconds
	source BLOB NOT NULL,      -- the file that this session was derived from, '' for none
	template INTEGER NOT NULL, -- flow.TemplateVersion of table endpoint
	flows INTEGER NOT NULL,    -- rows that are done
	refused INTEGER NOT NULL,  -- of these
	lost INTEGER NOT NULL      -- flows not kept, with or without a row
);
`, `` /* 2: numbers in body */, `
CREATE TABLE tls (
	id INTEGER PRIMARY KEY,
	host INTEGER NOT NULL, -- host.id
	digest BLOB NOT NULL,  -- of data
	data BLOB NOT NULL,
	UNIQUE (host, digest)
);
ALTER TABLE record ADD COLUMN client INTEGER; -- tls.id, as origin
ALTER TABLE record ADD COLUMN origin INTEGER;
`}

// withTLS is the version from which on there is a table tls.
const withTLS = 3

// readable is the oldest version that can be read as it is; a variable for tests.
var readable = 1

// schemaVersion is the version that this program reads and writes.
func schemaVersion() int { return len(migrations) }

// ours are the names of all tables and indexes that a session may have; those
// that SQLite makes for itself begin with sqlite_.
var ours = map[string]bool{
	"flow": true, "flow_rev": true, "flow_endpoint": true, "flow_host": true, "flow_open": true,
	"endpoint": true, "host": true, "record": true, "body": true, "frame": true, "verdict": true, "session": true, "tls": true,
}

// migrate brings the file behind c to the current version, in one transaction.
func migrate(ctx context.Context, c *conn, steps []string) error {
	if err := c.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := func() error {
		v, err := c.number(ctx, "PRAGMA user_version")
		if err != nil {
			return err
		}
		for i := int(v); i < len(steps); i++ {
			if err := c.script(ctx, steps[i]); err != nil {
				return fmt.Errorf("bring to version %d: %w", i+1, err)
			}
		}
		return c.script(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(steps)))
	}()
	if err != nil {
		_ = c.exec(ctx, "ROLLBACK") // the fault before it is the one to tell
		return err
	}
	return c.exec(ctx, "COMMIT")
}

// check makes sure that the file behind c is a session of a version that we
// know and holds nothing but our tables: no view, trigger or virtual table
// that would run when it is read.
func check(ctx context.Context, c *conn, path string, writable bool) error {
	app, err := c.number(ctx, "PRAGMA application_id")
	if err != nil {
		return explain(path, err)
	}
	if app == 0 {
		if err := logged(ctx, c, path); err != nil {
			return err
		}
	}
	if app != applicationID {
		return fmt.Errorf("%s: %w", path, ErrNotSession)
	}
	v, err := c.number(ctx, "PRAGMA user_version")
	if err != nil {
		return explain(path, err)
	}
	switch now := schemaVersion(); {
	case int(v) > now:
		return fmt.Errorf("%s: %w (version %d, this one reads up to %d)", path, ErrNewer, v, now)
	case int(v) < readable && !writable:
		return fmt.Errorf("%s: %w (version %d, this one reads %d to %d)", path, ErrOlder, v, readable, now)
	}
	strange := ""
	err = c.query(ctx, "SELECT type, name, coalesce(sql, '') LIKE '%virtual%' FROM sqlite_schema", func(r row) bool {
		kind, name := r.text(0), r.text(1)
		own := ours[name] || len(name) > 7 && name[:7] == "sqlite_"
		if kind != "table" && kind != "index" || !own || r.int(2) != 0 {
			strange = kind + " " + name
		}
		return strange == ""
	})
	if err != nil {
		return explain(path, err)
	}
	if strange != "" {
		return fmt.Errorf("%s: %w: it holds a %q that no session has", path, ErrNotSession, strange)
	}
	return nil
}

// logged gives ErrNoLog when the file behind c is empty and of write-ahead logging: a session
// that was copied without its log, before anything of that was folded into it.
func logged(ctx context.Context, c *conn, path string) error {
	names, err := c.number(ctx, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return explain(path, err)
	}
	if names == 0 && writeAhead(path) {
		return fmt.Errorf("%s: %w", path, ErrNoLog)
	}
	return nil
}

// writeAhead reports whether the header of a SQLite file asks for write-ahead logging: 2 as
// the version of reading, at offset 19 (file format, 1.3.2). SQLite itself does not tell of a file that it takes for immutable.
func writeAhead(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var version [1]byte
	_, err = f.ReadAt(version[:], 19)
	return err == nil && version[0] == 2
}
