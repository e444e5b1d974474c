import Testing

@testable import IPC

@Suite("Forwards")
struct ForwardTests {
    @Test func `the argument of -L names 127.0.0.1, and brackets IPv6`() {
        var route = ForwardRoute(
            master: Master(socket: "/s", user: "u", address: "h"), localPort: 8080, target: .tcp(host: "db", port: 5432)
        )
        #expect(route.specification == "127.0.0.1:8080:db:5432")
        route.target = .tcp(host: "2001:db8::1", port: 5432)
        #expect(route.specification == "127.0.0.1:8080:[2001:db8::1]:5432")
    }

    @Test func `the argument of -L to a Unix socket is its path`() {
        let route = ForwardRoute(
            master: Master(socket: "/s", user: "u", address: "h"), localPort: 8080,
            target: .unix(path: "/run/my db.sock"))
        #expect(route.cancelCommand == "ssh -O cancel -S /s -L '127.0.0.1:8080:/run/my db.sock' u@h")
    }

    @Test(arguments: [
        ("/run/db.sock", true), ("/", true), ("/" + String(repeating: "p", count: 106), true), ("/a b/é'\"*", true),
        ("", false), ("run/s", false), ("@abstract", false), ("~/s", false),
        ("/" + String(repeating: "p", count: 107), false),
        ("/a:1", false), ("/a\\b", false), ("/%h", false), ("/${HOME}", false), ("/a\n", false), ("/a\0", false),
        ("/a\u{7F}", false),
    ])
    func `a path of a Unix socket is absolute, short, and plain`(path: String, isOne: Bool) {
        #expect(ForwardTarget.unix(path: path).isPossible == isOne)
        #expect((ForwardRule("unix:\(path)") == .unix(path: path)) == isOne)
    }

    @Test func `targets are told apart by their bytes`() {
        #expect(ForwardTarget.unix(path: "/\u{E9}") != .unix(path: "/e\u{301}"))
        #expect(ForwardTarget.unix(path: "/a") == .unix(path: "/a"))
        #expect(ForwardTarget.tcp(host: "a", port: 1) != .tcp(host: "a", port: 2))
    }

    @Test(arguments: [
        "db:1", "db.internal:5432", "*:443", "db:*", "*:*", "10.0.0.1:65535", "[::1]:80", "[2001:db8::1]:*", "a_b:1",
        "unix:1", "unix:*",
    ])
    func `an entry of forward_allowlist is a host and a port`(text: String) throws {
        guard case .tcp = try #require(ForwardRule(text)) else {
            Issue.record("it is another target")
            return
        }
    }

    @Test(arguments: [
        "", ":", "db", "db:", ":80", "db:0", "db:65536", "db:-1", "db:+1", "db: 1", "db:1 ", "db:x", "db:**", "**:1",
        "*.internal:1", "unix:", "unix:s", "unix:*:1", "Unix:/s", "unix://s:1", "::1:80", "[::1]", "[db]:80", "[*]:80",
        "-a:1", "a b:1", "u@db:1", "[::1:80", "db:1:2", "db:٣",
    ])
    func `anything else is none`(text: String) {
        #expect(ForwardRule(text) == nil)
    }
}
