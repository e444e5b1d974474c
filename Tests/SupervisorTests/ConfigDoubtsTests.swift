import Testing

@testable import Supervisor

/// What is right by its text, and does something else than its writer may think.
@Suite("Doubts about a config")
struct ConfigDoubtsTests {
    private func doubts(_ json: String) throws -> [String] {
        ConfigDoubts.lines(try config(json), environment: environment)
    }

    private static let on =
        #""capabilities": {"exec": true, "file_read": true, "file_write": true, "port_forward": true}"#

    private func named(_ address: String) -> String {
        #"{"mcp_socket": "/m", "default_host": "a", "hosts": {"a": {"socket": "/s", "user": "u", "host": "\#(address)"}}, "local_roots": ["/w"], \#(Self.on)}"#
    }

    @Test(arguments: [
        ("h:2222", #"write "h" and "port": 2222"#), ("[::1]", #"write "::1""#),
        ("[fe80::1]:22", #"write "fe80::1" and "port": 22"#),
        ("10.0.0.1:22", #"write "10.0.0.1" and "port": 22"#), ("[h]", #"write "h""#),
        ("h:ssh", "write a name or an address"),
        ("h:", "write a name or an address"), (":22", "write a name or an address"),
        ("h:99999", "write a name or an address"),
        ("::1]", "write a name or an address"), ("1:2:3", "write a name or an address"),
        ("[]:22", "write a name or an address"),
    ])
    func `a host with a port or brackets is told what to write`(address: String, advice: String) throws {
        let found = try doubts(named(address))
        #expect(found.count { $0.hasPrefix("warning: hosts.a.host: ") && $0.contains(advice) } == 1, "\(found)")
        let alone =
            #"{"mcp_socket": "/m", "ssh_socket": "/s", "ssh_user": "u", "ssh_host": "\#(address)", \#(Self.on)}"#
        #expect(try doubts(alone).contains { $0.hasPrefix("warning: ssh_host: ") })
    }

    @Test(arguments: [
        "h", "::1", "fe80::1%eth0", "10.0.0.1", "host.example-corp.com", "2001:db8::1", "example.company", "server",
    ])
    func `a host as ssh takes it is not`(address: String) throws {
        #expect(try doubts(named(address)).allSatisfy { !$0.contains("hosts.a.host") })
    }

    @Test(arguments: [
        "server.example.com", "EXAMPLE.com", "prod.example.org", "my.server.com", "x.invalid", "your-server.net",
    ])
    func `the name of an example is told`(address: String) throws {
        #expect(
            try doubts(named(address)).contains {
                $0.hasPrefix("warning: hosts.a.host: \"\(address)\" is the name of an example")
            })
    }

    @Test func `restrictions that have no effect, or less than it seems, are told`() throws {
        func found(_ host: String, _ top: String = Self.on) throws -> [String] {
            try doubts(multi(host, top: top)).filter { !$0.contains("local_roots") }
        }
        #expect(try found("") == [])
        #expect(
            try found(#""exec_allowlist": ["git "], "capabilities": {"exec": false}"#).contains {
                $0.hasPrefix("note: hosts.a.exec_allowlist: has no effect")
            })
        #expect(try found(#""exec_allowlist": []"#).contains { $0.contains("[] allows no command") })
        #expect(
            try found(#""forward_allowlist": ["a:1"], "capabilities": {"port_forward": false}"#).contains {
                $0.hasPrefix("note: hosts.a.forward_allowlist: ")
            })
        #expect(
            try found(#""base_dir": "/srv""#).contains {
                $0.hasPrefix("note: hosts.a.base_dir: ") && $0.contains("can leave it")
            })
        let shell = try found(#""file_transport": "shell", "base_dir": "/srv", "capabilities": {"file_write": false}"#)
        #expect(
            shell.contains {
                $0.hasPrefix("warning: hosts.a.file_transport: ") && $0.contains("base_dir, capabilities.file_write")
            })
        #expect(try found(#""file_transport": "shell""#) == [])
        #expect(try found("", #""capabilities": {}"#).contains { $0.hasPrefix("warning: capabilities: nothing is on") })
        #expect(
            try found("", Self.on + #", "safeguards": {"guard_disabled": true, "patterns": ["x"]}"#).contains {
                $0.contains("safeguards.patterns has no effect")
            })
        #expect(
            try found("", Self.on + #", "ssh_path": "/opt/ssh""#).contains {
                $0.hasPrefix("note: ssh_path: has no effect")
            })
        #expect(
            try doubts(multi("", top: #""local_roots": ["/w"], "capabilities": {"exec": true}"#)).contains {
                $0.hasPrefix("note: local_roots: has no effect")
            })
        #expect(try doubts(multi("", top: Self.on)).contains { $0.hasPrefix("note: local_roots is not set") })
    }

    @Test func `keys that the form of the config leaves out are told`() throws {
        let beside = try doubts(multi("", top: #""ssh_socket": "/s", "ssh_user": "u""#))
        #expect(
            beside.count { $0.hasPrefix("warning: ssh_") && $0.contains("the hosts are those in") } == 2, "\(beside)")
        #expect(
            try config(single(#""default_host": "prod""#)).warnings.first?.hasPrefix("default_host: has no effect")
                == true)
        #expect(try config(single(#""default_host": "default""#)).warnings == [])
        let wide = try config(
            multi(#""capabilities": {"exec": true, "file_read": false}"#, top: #""capabilities": {"file_read": true}"#)
        ).warnings
        #expect(
            wide.count == 1 && wide.first?.hasPrefix("hosts.a.capabilities.exec: true has no effect") == true, "\(wide)"
        )
    }
}
