package ldap

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/keyturn/keyturn/internal/target"
)

// packet is an answer as it is on the wire, with what the password policy says of it.
func packet(n uint16, text string, policy int8) []byte {
	message, op := ber.NewSequence(""), ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedResponse, nil, "")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 2, ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, uint64(n), ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, ""))
	message.AppendChild(op)
	if policy != noPolicyError {
		said, control, list := ber.NewSequence(""), ber.NewSequence(""), ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		said.AppendChild(ber.NewInteger(ber.ClassContext, ber.TypePrimitive, 1, int64(policy), ""))
		control.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, ldap.ControlTypeBeheraPasswordPolicy, ""))
		control.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, string(said.Bytes()), ""))
		list.AppendChild(control)
		message.AppendChild(list)
	}
	return message.Bytes()
}

// TestStartTLSRefused: the server of the other tests always has TLS.
func TestStartTLSRefused(t *testing.T) {
	client, server := net.Pipe()
	defer func() { _ = client.Close() }()
	go func() {
		_, _ = ber.ReadPacket(server)
		_, _ = server.Write(packet(ldap.LDAPResultProtocolError, "", noPolicyError))
	}()
	if err := startTLS(client); !strings.Contains(unreachable(err).Msg, "StartTLS") {
		t.Errorf("got %v", err)
	}
}

// TestCodes holds the codes that the server of the other tests does not give at will.
func TestCodes(t *testing.T) {
	const password = "the server repeats a value"
	for _, tc := range []struct {
		code          uint16
		text          string
		policy        int8
		login, change target.Outcome
	}{
		{1, password, -1, target.Unreachable, target.Unknown},
		{2, password, -1, target.Unreachable, target.Unsupported},
		{3, password, -1, target.Unreachable, target.Unknown},
		{8, password, -1, target.NotPermitted, target.NotPermitted},
		{10, password, -1, target.Unreachable, target.Unreachable},
		{13, password, -1, target.NotPermitted, target.NotPermitted},
		{19, password, poorQuality, target.Unreachable, target.Rejected},
		{19, password, 9, target.Unreachable, target.Rejected}, // newer than the draft
		{32, password, -1, target.Refused, target.NoSuchAccount},
		{34, password, -1, target.Misconfigured, target.Misconfigured},
		{48, password, -1, target.Refused, target.Unreachable},
		{49, password, -1, target.Refused, target.Unreachable},
		{49, password, locked, target.NotPermitted, target.Unreachable},
		{49, password, expired, target.NotPermitted, target.Unreachable},
		{50, password, notAllowed, target.NotPermitted, target.NotPermitted},
		{50, password, changeAfterReset, target.NotPermitted, target.NotPermitted},
		{51, password, -1, target.Unreachable, target.Unreachable},
		{52, password, -1, target.Unreachable, target.Unknown},
		{53, password, -1, target.Unreachable, target.Unreachable},
		{53, "unwilling to verify old password", -1, target.Unreachable, target.Refused},
		{65, password, -1, target.Unreachable, target.NotPermitted},
		{80, password, -1, target.Unreachable, target.Unknown},
		{118, password, -1, target.Unreachable, target.Unknown},
		{ldap.ErrorNetwork, password, -1, target.Unreachable, target.Unknown},
	} {
		decoded, err := ber.DecodePacketErr(packet(tc.code, tc.text, tc.policy))
		if err != nil {
			t.Fatal(err)
		}
		err = ldap.GetLDAPError(decoded)
		if policyError(err) != tc.policy && tc.policy <= inHistory {
			t.Errorf("%d: the policy says %d, want %d", tc.code, policyError(err), tc.policy)
		}
		for name, got := range map[string]error{"login": loginError(t.Context(), err), "change": changeError(t.Context(), err)} {
			want := map[string]target.Outcome{"login": tc.login, "change": tc.change}[name]
			if target.OutcomeOf(got) != want || strings.Contains(fmt.Sprintf("%v %+v", got, got), password) {
				t.Errorf("%s, %d with policy %d: %q (%v), want %q", name, tc.code, tc.policy, target.OutcomeOf(got), got, want)
			}
		}
	}
	broken := errors.New("unable to read LDAP response packet")
	if target.OutcomeOf(loginError(t.Context(), broken)) != target.Unreachable || target.OutcomeOf(changeError(t.Context(), broken)) != target.Unknown {
		t.Error("a broken connection is taken for an answer")
	}
}
