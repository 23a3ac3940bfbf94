// Package client speaks Keyturn's HTTP API: its types are the documents that travel, its [Client] sends and reads them.
// The server, the command line and the console use the same types, so there is one vocabulary.
//
// Times are RFC 3339 in UTC. A missing time means never. States are the words of client/state, with an underscore for
// the space. Every object carries rev; changing or deleting it names that rev in If-Match.
package client
