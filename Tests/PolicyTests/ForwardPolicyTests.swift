import IPC
import Testing

@testable import Policy
@testable import Tools

@Suite("Where forwards may lead")
struct ForwardPolicyTests {
    private func refusal(_ target: String, _ port: UInt16 = 80, _ entries: [String]? = nil) -> String? {
        do throws(GateRefusal) {
            try ForwardPolicy(entries, host: "box").judge(.tcp(host: target, port: port))
            return nil
        } catch {
            return error.sentence
        }
    }

    @Test(arguments: [
        ("db", "db"), ("DB.internal", "DB.internal"), ("db.internal.", "db.internal"), ("a_b-c.d", "a_b-c.d"),
        ("10.0.0.1", "10.0.0.1"), ("::1", "::1"), ("[::1]", "::1"), ("[2001:db8::1]", "2001:db8::1"), ("0", "0"),
    ])
    func `a name or an address is taken, IPv6 with brackets or without`(text: String, target: String) {
        #expect(ForwardPolicy.target(text) == target)
    }

    @Test(arguments: [
        "", ".", "-oProxyCommand=x", "-", "a b", " a", "a ", "a\n", "a\u{0}", "db:5432", "[db]", "[10.0.0.1]", "[::1",
        "::1]", "[[::1]]", "[::1]:80", "::1%eth0", "fe80::1%lo", ":", ":::", "1:2", "u@db", "/run/s", "a/b", "a,b",
        "a=b",
        "*", "dé", "a\u{A0}b", String(repeating: "a", count: 254), "[]", "[-a:]",
    ])
    func `what is neither is not taken`(text: String) {
        #expect(ForwardPolicy.target(text) == nil)
    }

    @Test func `without a list everything is open, with an empty one nothing`() {
        #expect(refusal("db") == nil && refusal("10.0.0.1") == nil && refusal("::1") == nil)
        #expect(
            refusal("db", 80, [])
                == "hosts.box.forward_allowlist does not cover db port 80 on \"box\"; it is empty. If this is really wanted, ask the user to add it."
        )
    }

    @Test func `an entry covers its host and port, in whatever case and spelling, and nothing else`() {
        let list = ["db.internal:5432", "*:443", "10.0.0.1:*", "[2001:db8::1]:80"]
        for (target, port) in [
            ("db.internal", 5432), ("DB.Internal", 5432), ("anything", 443), ("10.0.0.1", 1), ("0x0a000001", 65_535),
            ("10.1", 9), ("2001:db8::1", 80), ("2001:DB8:0::0:1", 80),
        ] as [(String, UInt16)] {
            #expect(refusal(target, port, list) == nil, "\(target) \(port)")
        }
        for (target, port) in [
            ("db.internal", 5433), ("db", 5432), ("xdb.internal", 5432), ("db.internal.evil", 5432), ("10.0.0.2", 80),
            ("2001:db8::1", 81), ("2001:db8::2", 80),
        ] as [(String, UInt16)] {
            let said = refusal(target, port, list)
            #expect(said?.contains("does not cover \(target) port \(port)") == true)
            #expect(said?.contains("\"db.internal:5432\", \"*:443\", \"10.0.0.1:*\", \"[2001:db8::1]:80\"") == true)
        }
    }

    @Test func `a Unix socket is allowed by its path alone: not without a list, and not by a wildcard`() {
        func refusal(_ path: String, _ entries: [String]?) -> String? {
            do throws(GateRefusal) {
                try ForwardPolicy(entries, host: "box").judge(.unix(path: path))
                return nil
            } catch {
                return error.sentence
            }
        }
        #expect(refusal("/run/db.sock", ["unix:/run/db.sock"]) == nil)
        #expect(refusal("/run/db.sock", ["*:*", "unix:/run/a", "unix:/run/db.sock"]) == nil)
        for list in [
            [], ["*:*"], ["unix:/run"], ["unix:/run/db.soc"], ["unix:/run/db.sock2"], ["unix:/run/DB.sock"], ["db:*"],
        ] {
            #expect(
                refusal("/run/db.sock", list)?.hasPrefix(
                    "hosts.box.forward_allowlist does not cover the Unix socket /run/db.sock on \"box\"; ") == true,
                "\(list)")
        }
        #expect(refusal("/run/../run/db.sock", ["unix:/run/db.sock"]) != nil)
        #expect(refusal("/run/e\u{301}", ["unix:/run/\u{E9}"]) != nil)
        #expect(refusal("/run/db.sock", nil)?.contains("with \"unix:/run/db.sock\" and the hosts and ports") == true)
        #expect(refusal("unix", ["unix:/run/db.sock"]) != nil)
        // A host and a port are not covered by it, either.
        #expect(self.refusal("db", 80, ["unix:/db"]) != nil)
    }

    private static let metadata = [
        "169.254.169.254", "169.254.0.1", "169.254.169.253", "0xA9FEA9FE", "2852039166", "0251.0376.0251.0376",
        "169.254.43518", "169.16689662", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::169.254.169.254",
        "64:ff9b::a9fe:a9fe", "fe80::1", "febf::1", "fd00:ec2::254", "FD00:0EC2::254", "metadata.google.internal",
        "Metadata.Google.Internal", "metadata.google.internal.", "::ffff:0:a9fe:a9fe", "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1", "169.254.169.254.",
    ]

    @Test(arguments: metadata)
    func `link-local and metadata addresses are refused in every spelling, also under a wildcard`(target: String) {
        #expect(ForwardPolicy.target(target) != nil, "else the test says nothing")
        for list in [nil, [], ["*:80"], ["*:*"], ["db:80", "\(Self.entry(target)):81"]] {
            #expect(refusal(target, 80, list)?.contains("metadata") == true, "\(list ?? ["-"])")
        }
        #expect(refusal(target, 80, ["\(Self.entry(target)):80"]) == nil, "unless named")
        #expect(refusal(target, 80, ["\(Self.entry(target)):*"]) == nil)
    }

    private static func entry(_ target: String) -> String { target.contains(":") ? "[\(target)]" : target }

    @Test(arguments: [
        "169.253.0.1", "170.254.169.254", "fec0::1", "fd00:ec3::254", "::1", "::", "metadata", "0", "64:ff9b::1",
        "64:ff9b:1::1", "2002:a00:1::1",
    ])
    func `their neighbours are not refused`(target: String) {
        #expect(refusal(target) == nil)
    }
}
