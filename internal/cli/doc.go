// Package cli is the command line. Every command but server, version and the check of an export speaks to a server
// through package client; authorisation happens there.
//
// Plaintext comes in from files, standard input or a prompt without echo, never from an argument, and goes out where it
// was asked for only: reveal, download, and the secret of a new token. Texts that came from elsewhere, such as the
// names of Secrets, are stripped of control characters before they reach a terminal.
package cli
