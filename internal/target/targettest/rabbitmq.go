package targettest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

const (
	rabbitMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	epmd     = "/usr/bin/epmd"
)

// RabbitMQ is a real server of one test, with its own port mapper. It logs at the level of debug, and each request. Its
// administrator is "admin" with "admin-password".
type RabbitMQ struct {
	*Server
	Port, TLSPort string // of its HTTP API
}

// StartRabbitMQ starts one with a password policy.
func StartRabbitMQ(t *testing.T) *RabbitMQ {
	t.Helper()
	s := &RabbitMQ{Server: NewServer(t), Port: Port(t), TLSPort: Port(t)}
	node, dist, mapper := Port(t), Port(t), Port(t)
	s.Write(t, "rabbitmq.conf", strings.NewReplacer("$DIR", s.Dir, "$NODE", node, "$PORT", s.Port, "$TLS", s.TLSPort).Replace(`
listeners.tcp.1 = 127.0.0.1:$NODE
management.tcp.ip = 127.0.0.1
management.tcp.port = $PORT
management.ssl.ip = 127.0.0.1
management.ssl.port = $TLS
management.ssl.cacertfile = $DIR/ca.crt
management.ssl.certfile = $DIR/srv.crt
management.ssl.keyfile = $DIR/srv.key
management.http_log_dir = $DIR/http
default_user = admin
default_pass = admin-password
log.file = false
log.console = true
log.console.level = debug
credential_validator.validation_backend = rabbit_credential_validator_min_password_length
credential_validator.min_length = 12
`))
	s.Write(t, "enabled_plugins", "[rabbitmq_management].\n")
	s.mapper(t, mapper)
	cmd := s.Command(rabbitMQ)
	cmd.Env = append(cmd.Env, "RUNNING_UNDER_SYSTEMD=true", // no shell in between
		"RABBITMQ_NODENAME=kt"+node+"@localhost", "RABBITMQ_DIST_PORT="+dist, "ERL_EPMD_PORT="+mapper, "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_MNESIA_BASE="+s.Dir+"/mnesia", "RABBITMQ_LOG_BASE="+s.Dir+"/log", "RABBITMQ_ENABLED_PLUGINS_FILE="+s.Dir+"/enabled_plugins",
		"RABBITMQ_CONFIG_FILE="+s.Dir+"/rabbitmq.conf", "RABBITMQ_CONF_ENV_FILE=/dev/null", "RABBITMQ_PID_FILE="+s.Dir+"/pid",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false +S 2:2 +sbwt none")
	s.Start(t, cmd, func() error {
		status, _, err := s.Ask("GET", "/whoami", nil)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		if err != nil {
			return err
		}
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.TLSPort) // comes last
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return s
}

// mapper starts the port mapper as a child of the test: the server would start one that outlives it.
func (s *RabbitMQ) mapper(t *testing.T, port string) {
	t.Helper()
	cmd := s.Command(epmd, "-port", port, "-address", "127.0.0.1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// Ask sends the administrator's request to the API.
func (s *RabbitMQ) Ask(method, path string, body any) (int, []byte, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, "http://127.0.0.1:"+s.Port+"/api"+path, bytes.NewReader(b))
	if err != nil {
		return 0, nil, err
	}
	req.SetBasicAuth("admin", "admin-password")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err = io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// Do is Ask, which has to be let do it.
func (s *RabbitMQ) Do(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	status, b, err := s.Ask(method, path, body)
	if err != nil || status >= 300 {
		t.Fatalf("%s %s: status %d, %v\n%s", method, path, status, err, b)
	}
	return b
}
