// Package h2 understands HTTP/2 (RFC 9113) without speaking it: it watches the
// bytes of one direction of a connection go by and tells what they say. It has
// no sockets and no goroutines; package proxy moves the bytes, and records what
// it is told here.
//
// Nothing here decides what is passed on. Header blocks are passed on as they
// came, so the compression state of the two ends stays theirs, and with it the
// order of the fields, what must never be indexed, and every byte of framing.
// What is decoded is for the recording alone; where it cannot be decoded any
// more (see Lost), the relaying goes on.
//
// What is bounded: a Parser keeps no more than one header block (maxBlock
// bytes decoded) and 1 KiB of any other frame, whatever the size of the frames;
// content is handed on in the pieces in which it arrives.
package h2
