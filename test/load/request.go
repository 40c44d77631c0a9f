package load

import "strconv"

// The paths of what is measured.
const (
	SecretsPath = "/api/v1/user/secrets"
	LeasesPath  = "/api/v1/user/leases"
	RedeemPath  = "/api/v1/leases/redeem"
)

// Value is what every secret is made of.
const Value = "the-value-of-a-benchmark-which-is-no-key-of-anybody"

// NamedSecret returns the body that creates the nth secret.
func NamedSecret(n int) string {
	return `{"provider":"openai","name":"BENCH_` + strconv.Itoa(n) + `","value":"` + Value + `"}`
}

// AppendRequest writes a whole request.
func AppendRequest(buf []byte, method, path, token, body string) []byte {
	buf = append(buf, method...)
	buf = append(buf, ' ')
	buf = append(buf, path...)
	buf = append(
		buf,
		" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: keysake-bench/1\r\nAuthorization: Bearer "...)
	buf = append(buf, token...)
	if body != "" {
		buf = append(buf, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		buf = strconv.AppendInt(buf, int64(len(body)), 10)
	}
	buf = append(buf, "\r\n\r\n"...)
	return append(buf, body...)
}
