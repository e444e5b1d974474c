import FoundationEssentials
import Glibc
import IPC
import Testing

@testable import Supervisor

/// The environment of a user on a login node.
let environment = ["HOME": "/home/ann", "XDG_RUNTIME_DIR": "/run/user/1000"]

func config(_ json: String, _ environment: [String: String] = environment) throws -> Config {
    try Config(json: Array(json.utf8), environment: environment, path: "config.json")
}

/// The mistakes of a config that cannot be used; none where it can.
func mistakes(_ json: String, _ environment: [String: String] = environment) -> [String] {
    do throws(ConfigError) {
        _ = try Config(json: Array(json.utf8), environment: environment, path: "config.json")
        return []
    } catch {
        return error.mistakes
    }
}

/// A single-host config with more members.
func single(_ more: String) -> String {
    #"{"mcp_socket": "/tmp/m.sock", "ssh_socket": "/tmp/s.sock", "ssh_user": "u", "ssh_host": "h", "# + more + "}"
}

/// A config with two hosts, "a" and "b", and more members in the object of "a".
func multi(_ more: String, top: String = "") -> String {
    func host(_ socket: String) -> String { #""socket": "\#(socket)", "user": "u", "host": "h""# }
    return #"{"mcp_socket": "/tmp/m.sock", "default_host": "a", "hosts": {"a": {\#(host("/tmp/s.sock"))"#
        + (more.isEmpty ? "" : ", " + more) + #"}, "b": {\#(host("/tmp/t.sock"))}}"# + (top.isEmpty ? "" : ", " + top)
        + "}"
}

@Suite("Config")
struct ConfigTests {
    @Test func `hosts on one socket are warned of, also where their other names differ`() throws {
        func warnings(_ more: String) throws -> [String] {
            try config(
                #"{"mcp_socket": "/tmp/m.sock", "default_host": "a", "hosts": {"a": {"socket": "/tmp/s", "user": "u", "host": "h"}, "#
                    + #""b": {\#(more)}}}"#
            ).warnings
        }
        #expect(try warnings(#""socket": "/tmp/t", "user": "u", "host": "h""#) == [])
        #expect(
            try warnings(#""socket": "/tmp/s", "user": "u", "host": "h""#) == [
                "hosts.b: has the same socket as hosts.a, so both are one login on one host; what restricts one of them does not "
                    + "restrict the other"
            ])
        for other in [#""user": "v", "host": "h""#, #""user": "u", "host": "i""#] {
            #expect(
                try warnings(#""socket": "/tmp/s", \#(other)"#).first?.hasSuffix(
                    "and user or host of one of them is wrong") == true)
        }
    }

    @Test func `the reference's single-host form loads`() throws {
        let loaded = try config(
            """
            {
            "ssh_socket": "/tmp/ssh-ctrl-user@host.sock",
            "mcp_socket": "/tmp/claude-ssh-daemon.sock",
            "ssh_user": "ubuntu",
            "ssh_host": "my.server.com",
            "capabilities": {
            "exec": true,
            "file_read": true,
            "file_write": true,
            "port_forward": false
            }
            }
            """)
        var capabilities = PolicySnapshot.Capabilities()
        capabilities.exec = true
        capabilities.fileRead = true
        capabilities.fileWrite = true
        #expect(loaded.mcpSocket == "/tmp/claude-ssh-daemon.sock")
        #expect(loaded.policy.defaultHost == "default")
        #expect(
            loaded.policy.hosts == [
                PolicySnapshot.Host(
                    name: "default", socket: "/tmp/ssh-ctrl-user@host.sock", user: "ubuntu", host: "my.server.com",
                    capabilities: capabilities)
            ])
        #expect(loaded.warnings == [])
        #expect(loaded.clientWaitSeconds == 20)
        #expect(!loaded.policy.allowDelete)
        #expect(loaded.policy.requireLandlock)
        #expect(loaded.policy.sshPath == "/usr/bin/ssh")
        #expect(loaded.policy.limits == PolicySnapshot.Limits())
    }

    @Test func `the reference's multi-host form loads`() throws {
        let loaded = try config(
            """
            {
            "mcp_socket": "/tmp/claude-ssh-daemon.sock",
            "default_host": "prod",
            "hosts": {
            "prod": {
            "socket": "/tmp/ssh-ctrl-ubuntu@prod.sock",
            "user": "ubuntu",
            "host": "prod.example.com",
            "base_dir": "/srv/app",
            "exec_allowlist": ["git ", "make ", "npm "]
            },
            "staging": {
            "socket": "/tmp/ssh-ctrl-ubuntu@staging.sock",
            "user": "ubuntu",
            "host": "staging.example.com"
            }
            },
            "capabilities": {
            "exec": true,
            "file_read": true,
            "file_write": true,
            "port_forward": false
            }
            }
            """)
        #expect(loaded.policy.defaultHost == "prod")
        #expect(loaded.policy.hosts.map(\.name) == ["prod", "staging"])
        let prod = try #require(loaded.policy.hosts.first)
        #expect(prod.master.socket == "/tmp/ssh-ctrl-ubuntu@prod.sock")
        #expect(prod.master.user == "ubuntu")
        #expect(prod.master.address == "prod.example.com")
        #expect(prod.baseDir == "/srv/app")
        #expect(prod.execAllowlist == ["git ", "make ", "npm "])
        #expect(prod.capabilities.exec && prod.capabilities.fileWrite && !prod.capabilities.portForward)
        let staging = try #require(loaded.policy.hosts.last)
        #expect(staging.baseDir == nil)
        #expect(staging.execAllowlist == nil)
        #expect(loaded.warnings == [])
    }

    @Test func `the reference's safeguards load`() throws {
        let safeguards = #"{"guard_disabled": false, "allow_overwrite": false, "allow_delete": false, "patterns": []}"#
        let loaded = try config(single(#""safeguards": \#(safeguards)"#))
        #expect(loaded.warnings == [])
        #expect(!loaded.policy.allowDelete)
        #expect(try config(single(#""safeguards": {"allow_delete": true}"#)).policy.allowDelete)
    }

    @Test func `audit_log is a path like the others`() throws {
        #expect(try config(single(#""audit_log": "~/audit.log""#)).auditLog == "/home/ann/audit.log")
        #expect(try config(multi("", top: #""audit_log": "/var/log/a""#)).auditLog == "/var/log/a")
        #expect(try config(single(#""limits": {}"#)).auditLog == nil)
        #expect(
            mistakes(single(#""audit_log": "audit.log""#)).first?.hasPrefix("audit_log: must be an absolute") == true)
        #expect(mistakes(single(#""audit_log": 1"#)) == ["audit_log: must be a string, got a number"])
    }

    @Test(arguments: [
        ("mcp_sockt", "mcp_socket"), ("ssh_sokcet", "ssh_socket"), ("defaulthost", "default_host"),
    ])
    func `an unknown key is warned of with the name that it may be meant to be`(key: String, meant: String) throws {
        let warnings = try config(multi("", top: #""\#(key)": null"#)).warnings
        #expect(warnings == [#"\#(key): unknown key, ignored; did you mean "\#(meant)"?"#])
    }

    @Test(arguments: ["colour", "hots_list", "x", "", "_comment", "//"])
    func `a key that is like none gets no guess`(key: String) throws {
        #expect(try config(multi("", top: #""\#(key)": 1"#)).warnings == ["\(key): unknown key, ignored"])
    }

    @Test func `a mistake comes with the warnings that may explain it`() {
        do throws(ConfigError) {
            let json = #"{"mcp_socket": "/m", "ssh_sokcet": "/s", "ssh_user": "u", "ssh_host": "h"}"#
            _ = try Config(json: Array(json.utf8), environment: environment, path: "p")
            Issue.record("loaded")
        } catch {
            #expect(error.mistakes == ["ssh_socket: is required"])
            #expect(error.warnings == [#"ssh_sokcet: unknown key, ignored; did you mean "ssh_socket"?"#])
        }
    }

    @Test(arguments: ["config.single-host.json", "config.multi-host.json"])
    func `the examples that we ship load without a warning`(name: String) throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let json = try Data(contentsOf: URL(filePath: "/\(root)/contrib/\(name)"))
        let loaded = try Config(json: Array(json), environment: environment, path: name)
        #expect(loaded.warnings == [])
        #expect(loaded.mcpSocket == "/run/user/1000/claude-ssh-daemon.sock")
        #expect(loaded.policy.hosts.allSatisfy { $0.capabilities.exec && !$0.capabilities.fileWrite })
        #expect(loaded.policy.hosts.allSatisfy { $0.master.socket.hasPrefix("/run/user/1000/ssh-") })
    }

    @Test func `everything new is read`() throws {
        let loaded = try config(
            multi(
                #""capabilities": {"exec": true}, "forward_allowlist": ["db.internal:5432", "*:443"]"#,
                top: """
                    "capabilities": {"exec": true}, "ssh_path": "~/bin/ssh", "client_wait_seconds": 0,
                    "limits": {"max_output_bytes": 1024, "max_read_bytes": 1024, "max_request_bytes": 4096,
                               "sessions_per_host": 1, "max_timeout_seconds": 86400},
                    "sandbox": {"require_landlock": false}
                    """))
        #expect(loaded.policy.sshPath == "/home/ann/bin/ssh")
        #expect(loaded.clientWaitSeconds == 0)
        #expect(loaded.policy.limits.maxOutputBytes == 1024)
        #expect(loaded.policy.limits.maxRequestBytes == 4096)
        #expect(loaded.policy.limits.sessionsPerHost == 1)
        #expect(loaded.policy.limits.maxTimeoutSeconds == 86_400)
        #expect(!loaded.policy.requireLandlock)
        #expect(loaded.warnings == [])
    }

    @Test func `an unknown key inside of an object is a mistake with its path`() {
        let found = mistakes(
            multi(
                #""colour": 1, "capabilities": {"exce": true}"#,
                top: """
                    "x": null, "limits": {"max": 1}, "safeguards": {"y": 2}, "sandbox": {"z": 3},
                    "capabilities": {"run": true}
                    """))
        #expect(
            found.map { String($0.prefix { $0 != ":" }) }.sorted() == [
                "capabilities.run", "hosts.a.capabilities.exce", "hosts.a.colour", "limits.max", "safeguards.y",
                "sandbox.z",
            ])
        #expect(found.contains { $0.contains("did you mean \"exec\"?") })
    }

    @Test func `with hosts, the single-host keys are ignored without a word`() throws {
        let loaded = try config(multi("", top: #""ssh_socket": 5, "ssh_user": "-x", "ssh_host": "/""#))
        #expect(loaded.policy.hosts.map(\.name) == ["a", "b"])
        #expect(loaded.warnings == [])
    }

    @Test func `with empty hosts, the single-host keys count`() throws {
        for hosts in ["{}", "null"] {
            let loaded = try config(single(#""hosts": \#(hosts), "default_host": "anything""#))
            #expect(loaded.policy.hosts.map(\.name) == ["default"])
            #expect(loaded.policy.defaultHost == "default")
        }
    }

    @Test func `null is as good as absent where the key restricts nothing`() throws {
        let loaded = try config(
            multi(
                #""port": null"#,
                top: """
                    "client_wait_seconds": null, "ssh_path": null, "ssh_socket": null
                    """))
        let host = loaded.policy.hosts[0]
        #expect(host.baseDir == nil && host.execAllowlist == nil)
        #expect(loaded.clientWaitSeconds == 20)
        #expect(
            mistakes(#"{"mcp_socket": null, "ssh_socket": "/s", "ssh_user": "u", "ssh_host": null}"#) == [
                "ssh_host: is required"
            ])
    }

    @Test func `exec_allowlist: absent allows all, empty none, and the list is kept as it is`() throws {
        #expect(try config(multi("")).policy.hosts[0].execAllowlist == nil)
        #expect(try config(multi(#""exec_allowlist": []"#)).policy.hosts[0].execAllowlist == [])
        #expect(
            try config(multi(#""exec_allowlist": ["git ", " x"]"#)).policy.hosts[0].execAllowlist == ["git ", " x"])
        #expect(
            try config(multi(#""exec_allowlist": []"#)).policy.hosts[1].execAllowlist == nil,
            "one host's list is its own")
    }

    @Test func `without capabilities everything is off`() throws {
        #expect(
            try config(single(#""client_wait_seconds": 1"#)).policy.hosts[0].capabilities
                == PolicySnapshot.Capabilities())
    }

    @Test(arguments: ["exec", "file_read", "file_write", "port_forward"])
    func `a host's capability can only take away`(key: String) throws {
        func flags(_ own: String, _ all: String) throws -> [Bool] {
            let host = try config(multi(own, top: #""capabilities": \#(all)"#)).policy.hosts[0].capabilities
            let names = [
                "exec": host.exec, "file_read": host.fileRead, "file_write": host.fileWrite,
                "port_forward": host.portForward,
            ]
            return [names[key] ?? false, names.filter { $0.key != key }.values.contains(true)]
        }
        #expect(try flags(#""capabilities": {"\#(key)": true}"#, "{}") == [false, false], "it cannot give")
        #expect(try flags(#""capabilities": {"\#(key)": true}"#, #"{"\#(key)": false}"#) == [false, false])
        #expect(try flags(#""capabilities": {"\#(key)": false}"#, #"{"\#(key)": true}"#) == [false, false])
        #expect(try flags(#""capabilities": {"\#(key)": true}"#, #"{"\#(key)": true}"#) == [true, false])
        #expect(
            try flags(#""capabilities": {}"#, #"{"\#(key)": true}"#) == [true, false], "what it does not name stays")
        #expect(try flags("", #"{"\#(key)": true}"#) == [true, false])
    }

    @Test func `paths expand a leading tilde and XDG_RUNTIME_DIR, in both spellings, and nothing else`() throws {
        let cases = [
            "~/s.sock": "/home/ann/s.sock", "$XDG_RUNTIME_DIR/s.sock": "/run/user/1000/s.sock",
            "${XDG_RUNTIME_DIR}/s.sock": "/run/user/1000/s.sock", "/x/~/s": "/x/~/s", "/x/$HOME/h": "/x/$HOME/h",
        ]
        for (written, meant) in cases {
            let json = #"{"mcp_socket": "\#(written)", "ssh_socket": "\#(written)", "ssh_user": "u", "ssh_host": "h"}"#
            let loaded = try config(json)
            #expect(loaded.mcpSocket == meant)
            #expect(loaded.policy.hosts[0].master.socket == meant)
        }
    }

    @Test func `the default socket lies in XDG_RUNTIME_DIR`() throws {
        let json = #"{"ssh_socket": "~/s", "ssh_user": "u", "ssh_host": "h"}"#
        #expect(try config(json).mcpSocket == "/run/user/1000/claude-ssh-daemon.sock")
        #expect(
            mistakes(json, ["HOME": "/h"]) == [
                "mcp_socket: is required where XDG_RUNTIME_DIR is not set: name a socket in a directory of your own"
            ])
        #expect(
            mistakes(json, ["HOME": "/h", "XDG_RUNTIME_DIR": "relative"])
                == [
                    "mcp_socket: is required where XDG_RUNTIME_DIR is not set: name a socket in a directory of your own"
                ])
    }

    @Test func `without HOME the account's own directory is meant`() throws {
        let home = try #require(getpwuid(geteuid()).map { String(cString: $0.pointee.pw_dir) })
        for values in [[:], ["HOME": ""], ["HOME": "relative"]] {
            let loaded = try config(
                #"{"mcp_socket": "~/m", "ssh_socket": "/s", "ssh_user": "u", "ssh_host": "h"}"#, values)
            #expect(loaded.mcpSocket == home + "/m")
        }
    }
}
