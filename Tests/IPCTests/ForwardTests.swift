import Testing

@testable import IPC

@Suite("Forwards")
struct ForwardTests {
    @Test func `the argument of -L names 127.0.0.1, and brackets IPv6`() {
        var route = ForwardRoute(
            master: Master(socket: "/s", user: "u", address: "h"), localPort: 8080, remoteHost: "db", remotePort: 5432)
        #expect(route.specification == "127.0.0.1:8080:db:5432")
        route.remoteHost = "2001:db8::1"
        #expect(route.specification == "127.0.0.1:8080:[2001:db8::1]:5432")
    }

    @Test(arguments: [
        "db:1", "db.internal:5432", "*:443", "db:*", "*:*", "10.0.0.1:65535", "[::1]:80", "[2001:db8::1]:*", "a_b:1",
    ])
    func `an entry of forward_allowlist is a host and a port`(text: String) {
        #expect(ForwardRule(text) != nil)
    }

    @Test(arguments: [
        "", ":", "db", "db:", ":80", "db:0", "db:65536", "db:-1", "db:+1", "db: 1", "db:1 ", "db:x", "db:**", "**:1",
        "*.internal:1", "::1:80", "[::1]", "[db]:80", "[*]:80", "-a:1", "a b:1", "u@db:1", "[::1:80", "db:1:2", "db:٣",
    ])
    func `anything else is none`(text: String) {
        #expect(ForwardRule(text) == nil)
    }
}
