// Package session is the store and the hub: one SQLite file holds all flows of
// a run, and everything that happens to them passes through here on its way
// to the screen and to the disk.
//
// # What a reader sees
//
// A flow shows at once when it begins and whenever it moves on; it is Done
// only after the transaction that holds it has been committed, so that a
// kill -9 cannot take back what was shown as complete. A flow that is still
// under way after a second is written too, with what is known of it; if the
// process dies it comes back as not finished, and says so.
//
// All changes count in one revision, Rev. Its upper 32 bits number the
// commits, its lower 32 bits the changes since that commit. A committed row
// carries its revision in the file, known before the commit because a commit
// opens a number of its own; a change of a flow under way carries one in
// memory. Since walks two lists, of the flows under way and of the last
// recentRows committed ones; a reader further behind is served from the file
// by the stored revisions, merged with the flows under way. The heap therefore
// does not grow with the session.
//
// # Who may block whom
//
// Begin, Append and End never wait for the disk: they put work on a queue that
// is bounded in bytes (Options.QueueBytes). One goroutine owns the only
// connection that writes; it commits what has gathered every batchDelay,
// sooner when much has gathered or somebody waits. When the queue is full,
// first the bodies of responses are cut (from 3/4 of the bound), then the
// bodies of requests (from 7/8), then Begin and End wait up to headWait for
// room, once a stall; after that flows are counted as not kept, and their rows
// say so. Beside that only what is beyond a stated bound is dropped, and
// marked: bodies and messages beyond Options.MaxBody, 1xx responses beyond the
// 64th.
//
// Readers use a small pool of their own connections (WAL: they neither block
// the writer nor are blocked by it) and end with their context. Note waits for
// its commit.
package session
