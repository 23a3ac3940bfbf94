package linux

import (
	"errors"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// pin is the host key that a resource names: the whole key, or its fingerprint alone.
type pin struct {
	key         ssh.PublicKey
	fingerprint string
}

// parsePin reads a line of known_hosts or of a public key file, or a fingerprint as ssh-keygen -l prints it. Whom a line
// of known_hosts is for does not matter: the resource says that.
func parsePin(line string) (pin, error) {
	words := strings.Fields(line)
	for i, word := range words {
		if strings.HasPrefix(word, "@") || strings.HasPrefix(word, "#") {
			break
		}
		if strings.HasPrefix(word, "SHA256:") {
			if len(word) == len("SHA256:")+43 {
				return pin{fingerprint: word}, nil
			}
			break
		}
		if i+1 == len(words) || i > 1 {
			break
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(word + " " + words[i+1]))
		if err == nil && key.Type() == word {
			return pin{key: key, fingerprint: ssh.FingerprintSHA256(key)}, nil
		}
	}
	return pin{}, misconfigured("the host key cannot be read", "give one line as in known_hosts, without a marker, or a fingerprint SHA256:…")
}

// keyTypes are the kinds of host key in the order in which a fingerprint alone is looked for among a server's keys, each
// with the algorithms that sign with it.
var keyTypes = [][]string{
	{ssh.KeyAlgoED25519},
	{ssh.KeyAlgoECDSA256}, {ssh.KeyAlgoECDSA384}, {ssh.KeyAlgoECDSA521},
	{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
}

// algorithms lists what to ask the server for, one connection each until one shows the pinned key.
func (p pin) algorithms() [][]string {
	switch {
	case p.key == nil:
		return keyTypes
	case p.key.Type() == ssh.KeyAlgoRSA:
		return [][]string{{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}}
	}
	return [][]string{{p.key.Type()}}
}

// otherHostKey is the error of a handshake with a server that showed another key. No login has been sent to it.
type otherHostKey struct{ fingerprint string }

func (otherHostKey) Error() string { return "another host key" }

// check is the ssh.HostKeyCallback.
func (p pin) check(_ string, _ net.Addr, shown ssh.PublicKey) error {
	same := ssh.FingerprintSHA256(shown) == p.fingerprint
	if p.key != nil {
		same = slices.Equal(shown.Marshal(), p.key.Marshal())
	}
	if !same {
		return otherHostKey{ssh.FingerprintSHA256(shown)}
	}
	return nil
}

// elsewhere reports whether err leaves it open that the server has the pinned key among its keys of other kinds.
func elsewhere(err error) bool {
	_, other := errors.AsType[otherHostKey](err)
	_, none := errors.AsType[*ssh.AlgorithmNegotiationError](err)
	return other || none
}
