import Foundation
import IPC
import Testing

@testable import Supervisor

@Suite("Config mistakes")
struct ConfigMistakesTests {
    @Test(arguments: ["1e400", "-1e400", "1E+9999999999999999999"])
    func `a number that is too large is told by its line, in our words`(number: String) {
        let found = mistakes("{\n \"client_wait_seconds\": \(number)}")
        #expect(found == ["not valid JSON: line 2, column 25: a number beyond what a double holds"])
    }

    @Test func `a text that is no JSON object says so`() {
        #expect(mistakes("[]") == ["must be a JSON object, got an array"])
        #expect(mistakes("null") == ["must be a JSON object, got null"])
        #expect(mistakes("\"x\"") == ["must be a JSON object, got a string"])
        #expect(mistakes("7") == ["must be a JSON object, got a number"])
        for text in ["", "{", "{\"a\" 1}", "{} {}", "{'a': 1}", "\u{0}", String(repeating: "[", count: 100_000)] {
            let found = mistakes(text)
            #expect(found.count == 1 && found[0].hasPrefix("not valid JSON: "), "\(text.prefix(20)): \(found)")
        }
    }

    @Test(arguments: [
        ("{\n  \"a\": 1\n  \"b\": 2\n}", "line 3, column 3: \",\" or \"}\" is expected"),
        ("{\"a\" 1}", "line 1, column 6: \":\" is expected"),
        ("{'a': 1}", "line 1, column 2: a name in double quotes is expected"),
        ("{\"a\": yes}", "line 1, column 7: \"yes\" is no value; text stands in double quotes"),
        ("{\"a\": }", "line 1, column 7: a value is expected"),
        ("{\"a\": [1, 2}", "line 1, column 12: \",\" or \"]\" is expected"),
        ("{\"a\": {\"b\": 1}", "line 1, column 15: \"}\" is missing"),
        ("{\"a\": \"x\n}", "line 1, column 7: this quote is not closed on its line"),
        ("{\n// x\n}", "line 2, column 1: JSON has no comments"),
        ("{\"a\": 1 # x\n}", "line 1, column 9: JSON has no comments"),
        ("{} {}", "line 1, column 4: nothing may follow the value"),
        ("", "line 1, column 1: a value is expected"),
        ("{\"a\": 1,}", "line 1, column 8: no comma may stand before \"}\""),
        ("{\"a\": [1,\n ]}", "line 1, column 9: no comma may stand before \"]\""),
        ("{\"hosts\": {\"a\": {}, }}", "line 1, column 19: no comma may stand before \"}\""),
    ])
    func `a mistake in the JSON is told with its place`(text: String, mistake: String) {
        #expect(mistakes(text) == ["not valid JSON: \(mistake)"])
    }

    @Test func `an entry of exec_allowlist that can cover nothing is warned of`() throws {
        let entries = [
            "git ", "make test", "[ ", "./run.sh", "A=b c", "git log | head", "", " ", "\"git\"", "git $x", "a\nb",
            "g*",
        ]
        let json = multi("\"exec_allowlist\": \(String(decoding: try JSONEncoder().encode(entries), as: UTF8.self))")
        let warnings = try Config(json: Array(json.utf8), environment: environment, path: "/p").warnings
        #expect(warnings.count == 7, "\(warnings)")
        #expect(
            warnings.first
                == "hosts.a.exec_allowlist[5]: covers no command: an entry is the first words of one, without quotes, "
                + "patterns and operators, got \"git log | head\"")
    }

    @Test func `JSON that is not UTF-8 says so`() {
        do throws(ConfigError) {
            _ = try Config(json: [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D], environment: environment, path: "/p")
            Issue.record("loaded")
        } catch {
            #expect(error.path == "/p")
            #expect(error.mistakes.first?.hasPrefix("not valid JSON: ") == true)
        }
    }

    @Test func `an entry of forward_allowlist that is no host and port is named by its place`() {
        let found = mistakes(multi(#""forward_allowlist": ["db:5432", "db", "*:443", "*:0"]"#))
        #expect(found.count == 2)
        #expect(found.first?.hasPrefix("hosts.a.forward_allowlist[1]: must be \"host:port\"") == true, "\(found)")
        #expect(found.last?.contains("forward_allowlist[3]") == true && found.last?.contains("got \"*:0\"") == true)
    }

    @Test func `a transport that sets nothing is a mistake: it decides what a worker may do`() {
        #expect(
            mistakes(multi("", top: #""transport": null"#)) == [
                "transport: null sets nothing, so that the default holds. Write a value, or remove the key"
            ])
    }

    @Test(arguments: ["scp", "", "MUX", " ssh", "ssh\\u0000"])
    func `a transport that there is not is named, with those that there are`(name: String) {
        let found = mistakes(multi("", top: #""transport": "\#(name)""#))
        #expect(
            found.count == 1 && found.first?.hasPrefix(#"transport: must be "mux" or "ssh", got ""#) == true, "\(found)"
        )
    }

    /// A config with `@` where the value goes, the value's path, values of wrong types, and what it must be.
    struct Entry: Sendable {
        let json: String
        let path: String
        let wrong: [String]
        let wanted: String
    }

    static let types = [
        Entry(
            json: multi("", top: #""client_wait_seconds": @"#), path: "client_wait_seconds",
            wrong: ["\"5\"", "1.5", "true", "[]", "{}"], wanted: "a whole number from 0 to 3600"),
        Entry(
            json: multi("", top: #""ssh_path": @"#), path: "ssh_path",
            wrong: ["5", "false", "[]", "{}"], wanted: "a string"),
        Entry(
            json: multi("", top: #""transport": @"#), path: "transport",
            wrong: ["5", "true", "[]", "{}"], wanted: "a string"),
        Entry(
            json: multi("", top: #""limits": @"#), path: "limits",
            wrong: ["5", "\"\"", "[]", "true"], wanted: "an object"),
        Entry(
            json: multi("", top: #""safeguards": @"#), path: "safeguards",
            wrong: ["5", "[]"], wanted: "an object"),
        Entry(
            json: multi("", top: #""sandbox": @"#), path: "sandbox",
            wrong: ["5", "[]", "true"], wanted: "an object"),
        Entry(
            json: multi("", top: #""capabilities": @"#), path: "capabilities",
            wrong: ["5", "[]", "\"exec\""], wanted: "an object"),
        Entry(
            json: multi("", top: #""capabilities": {"exec": @}"#), path: "capabilities.exec",
            wrong: ["1", "\"true\"", "[]", "{}"], wanted: "true or false"),
        Entry(
            json: multi("", top: #""capabilities": {"port_forward": @}"#), path: "capabilities.port_forward",
            wrong: ["0"], wanted: "true or false"),
        Entry(
            json: multi("", top: #""safeguards": {"allow_delete": @}"#), path: "safeguards.allow_delete",
            wrong: ["1", "\"no\""], wanted: "true or false"),
        Entry(
            json: multi("", top: #""safeguards": {"allow_overwrite": @}"#), path: "safeguards.allow_overwrite",
            wrong: ["1"], wanted: "true or false"),
        Entry(
            json: multi("", top: #""safeguards": {"guard_disabled": @}"#), path: "safeguards.guard_disabled",
            wrong: ["1"], wanted: "true or false"),
        Entry(
            json: multi("", top: #""safeguards": {"patterns": @}"#), path: "safeguards.patterns",
            wrong: ["\"x\"", "{}", "1"], wanted: "an array of strings"),
        Entry(
            json: multi("", top: #""sandbox": {"require_landlock": @}"#), path: "sandbox.require_landlock",
            wrong: ["0", "\"\""], wanted: "true or false"),
        Entry(
            json: multi(#""base_dir": @"#), path: "hosts.a.base_dir",
            wrong: ["1", "[]", "false"], wanted: "a string"),
        Entry(
            json: multi(#""exec_allowlist": @"#), path: "hosts.a.exec_allowlist",
            wrong: ["\"git \"", "{}", "false"], wanted: "an array of strings"),
        Entry(
            json: multi(#""exec_allowlist": ["x", @]"#), path: "hosts.a.exec_allowlist[1]",
            wrong: ["1", "null", "[]"], wanted: "a string"),
        Entry(
            json: multi(#""forward_allowlist": @"#), path: "hosts.a.forward_allowlist",
            wrong: ["\"*:443\""], wanted: "an array of strings"),
        Entry(
            json: multi(#""capabilities": @"#), path: "hosts.a.capabilities",
            wrong: ["true", "[]"], wanted: "an object"),
        Entry(
            json: multi(#""capabilities": {"file_read": @}"#), path: "hosts.a.capabilities.file_read",
            wrong: ["1"], wanted: "true or false"),
    ]

    @Test(arguments: types.indices)
    func `every wrong type gives its path and what it must be`(index: Int) {
        let entry = Self.types[index]
        let names = [
            "\"": "a string", "[": "an array", "{": "an object", "t": "a boolean", "f": "a boolean", "n": "null",
        ]
        for value in entry.wrong {
            let got = names[String(value.prefix(1))] ?? "a number"
            #expect(
                mistakes(entry.json.replacing("@", with: value)) == [
                    "\(entry.path): must be \(entry.wanted), got \(got)"
                ], "\(value)")
        }
    }

    @Test(arguments: [
        ("max_output_bytes", 1024, 16_777_216), ("max_read_bytes", 1024, 67_108_864),
        ("max_request_bytes", 4096, 67_108_864), ("sessions_per_host", 1, 100), ("max_timeout_seconds", 1, 86_400),
    ])
    func `limits have their ranges`(key: String, low: Int, high: Int) {
        for value in [low, high] { #expect(mistakes(single(#""limits": {"\#(key)": \#(value)}"#)) == []) }
        for value in [low - 1, high + 1, 0, -1, Int.max] {
            #expect(
                mistakes(single(#""limits": {"\#(key)": \#(value)}"#))
                    == ["limits.\(key): must be from \(low) to \(high), got \(value)"])
        }
        for (value, got) in [("\"1\"", "a string"), ("1e99", "a number"), ("2000.5", "a number")] {
            #expect(
                mistakes(single(#""limits": {"\#(key)": \#(value)}"#))
                    == ["limits.\(key): must be a whole number from \(low) to \(high), got \(got)"])
        }
    }

    @Test func `the wait has its range`() {
        for value in [-1, 3601] {
            #expect(
                mistakes(single(#""client_wait_seconds": \#(value)"#))
                    == ["client_wait_seconds: must be from 0 to 3600, got \(value)"])
        }
        #expect(mistakes(single(#""client_wait_seconds": 3600"#)) == [])
    }

    @Test func `all mistakes are told at once`() {
        let found = mistakes(
            """
            {"mcp_socket": "relative", "client_wait_seconds": -1, "default_host": "c",
             "hosts": {"a": {"socket": 1, "user": "", "host": "-h", "exec_allowlist": [1, "x", 2]}, "b": 5},
             "limits": {"sessions_per_host": 0}, "capabilities": {"exec": "yes"}}
            """)
        let starts = [
            "mcp_socket: ", "client_wait_seconds: ", "capabilities.exec: ", "hosts.a.exec_allowlist[0]: ",
            "hosts.a.exec_allowlist[2]: ", "hosts.a.socket: ", "hosts.a.user: ", "hosts.a.host: ", "hosts.b: ",
            "default_host: ",
            "limits.sessions_per_host: ",
        ]
        #expect(found.count == starts.count, "\(found)")
        for (mistake, start) in zip(found, starts) { #expect(mistake.hasPrefix(start)) }
    }

    @Test func `a key that is given twice is named with its path, however it is written`() {
        #expect(
            mistakes(multi(#""exec_allowlist": ["git "], "exec_allowlist": null"#)) == [
                "hosts.a.exec_allowlist: is given twice"
            ])
        #expect(mistakes(single(#""limits": {}, "\u006cimits": {}"#)) == ["limits: is given twice"])
        #expect(mistakes(single(#""x": [0, {"y": {"z": 1, "z": 2}}]"#)) == ["x[1].y.z: is given twice"])
        #expect(mistakes(single(#""a\"b": 1, "a\"b": "}{,\"""#)) == ["a\"b: is given twice"])
        #expect(
            mistakes(multi(#""capabilities": {"exec": true}"#, top: #""capabilities": {"exec": true}"#)) == [],
            "the same name in different objects")
        #expect(mistakes(single(#""x": ["a", "a"], "y": "x""#)) == [], "values are no keys")
    }

    @Test func `what must be there is named`() {
        #expect(
            mistakes("{}", ["HOME": "/h"]) == [
                "mcp_socket: is required where XDG_RUNTIME_DIR is not set: name a socket in a directory of your own",
                "ssh_socket: is required",
                "ssh_user: is required", "ssh_host: is required",
            ])
        #expect(
            mistakes(#"{"mcp_socket": "/m", "default_host": "a", "hosts": {"a": {}}}"#) == [
                "hosts.a.socket: is required", "hosts.a.user: is required", "hosts.a.host: is required",
            ])
        #expect(
            mistakes(#"{"mcp_socket": "/m", "hosts": {"a": {"socket": "/s", "user": "u", "host": "h"}}}"#)
                == ["default_host: is required"])
        #expect(
            mistakes(#"{"mcp_socket": "/m", "default_host": "a", "hosts": {"a": null}}"#) == [
                "hosts.a: must be an object, got null"
            ])
    }

    @Test func `hosts must be an object with a host in it`() {
        #expect(
            mistakes(#"{"mcp_socket": "/m", "default_host": "a", "hosts": {}}"#) == [
                "hosts: must name at least one host"
            ])
        #expect(mistakes(#"{"mcp_socket": "/m", "hosts": 5}"#).first == "hosts: must be an object, got a number")
        #expect(mistakes(#"{"mcp_socket": "/m", "hosts": []}"#).first == "hosts: must be an object, got an array")
    }

    @Test func `default_host must be one of the hosts, and they are named`() {
        let json = multi("").replacing(#""default_host": "a""#, with: #""default_host": "c""#)
        #expect(mistakes(json) == [#"default_host: must name one of the hosts ("a", "b"), got "c""#])
        #expect(
            mistakes(multi("").replacing(#""default_host": "a""#, with: #""default_host": """#)) == [
                "default_host: must not be empty"
            ])
    }

    @Test(arguments: [
        "-oProxyCommand=x", "-", "a b", "u@h", "a/b", "ssh://h", "a\\tb", "a\\nb", "\\u0000", "a\\u007f", " a",
    ])
    func `a user or host that ssh could read as anything else is refused`(word: String) {
        for key in ["user", "host"] {
            let json = multi("").replacing(#""\#(key)": "\#(key.prefix(1))""#, with: #""\#(key)": "\#(word)""#)
            let found = mistakes(json)
            #expect(found.count == 2, "of both hosts: \(found)")
            for mistake in found { #expect(mistake.contains(".\(key): must not ")) }
        }
        let json = single(#""x": 1"#).replacing(#""ssh_user": "u""#, with: #""ssh_user": "\#(word)""#)
        #expect(mistakes(json).first?.hasPrefix("ssh_user: ") == true)
    }

    @Test func `what ssh refuses in a user or a host is refused, with what to write`() {
        for (key, refused) in [("user", "'`\";&<>|(){}"), ("host", "'`\"$\\;&<>|(){},")] {
            for character in refused {
                for word in ["a\(character)b", "\(character)a", "a\(character)"] {
                    let escaped = word.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                    let text = multi("").replacing(
                        #""\#(key)": "\#(key.prefix(1))""#, with: #""\#(key)": "\#(escaped)""#)
                    let found = mistakes(text)
                    #expect(found.count == 2, "\(key) \(word): \(found)")
                    for mistake in found {
                        #expect(mistake.contains(".\(key): must not contain \"\(character)\""), "\(mistake)")
                        #expect(mistake.contains("ControlMaster was started with"), "\(mistake)")
                    }
                    let one = single(#""x": 1"#).replacing(
                        #""ssh_\#(key)": "\#(key.prefix(1))""#, with: #""ssh_\#(key)": "\#(escaped)""#)
                    #expect(mistakes(one).first?.hasPrefix("ssh_\(key): must not contain") == true, "\(mistakes(one))")
                }
            }
        }
        let last = multi("").replacing(#""user": "u""#, with: #""user": "ann\\""#)
        #expect(mistakes(last).first?.contains("must not end in") == true)
    }

    @Test(arguments: [
        "ann", "ann-b", "a.b_c", "10.0.0.1", "fe80::1%eth0", "münchen", "DOMAIN\\\\ann", "[::1]", "a=b", "a$b", "a,b",
        "a~b", "a*b",
    ])
    func `a user or host that is odd but harmless is taken`(word: String) throws {
        let json = multi("").replacing(#""user": "u""#, with: #""user": "\#(word)""#)
        #expect(mistakes(json) == [])
    }

    @Test(arguments: [
        "relative/m.sock", "", "~", "~root/m", "$XDG_RUNTIME_DIR", "$HOME/m", "./m", "a\\u0000b", "/a\\u0000b",
    ])
    func `a path that is not absolute is refused`(path: String) {
        let json = #"{"mcp_socket": "\#(path)", "ssh_socket": "/s", "ssh_user": "u", "ssh_host": "h"}"#
        let found = mistakes(json)
        #expect(found.count == 1)
        #expect(
            found.first?.hasPrefix("mcp_socket: must be an absolute path or begin with ~/ or $XDG_RUNTIME_DIR/") == true
        )
        #expect(
            mistakes(single(#""ssh_path": "\#(path)""#)).first?.hasPrefix("ssh_path: must be an absolute path") == true)
    }

    @Test func `a path in a XDG_RUNTIME_DIR that is not set is refused`() {
        for path in ["$XDG_RUNTIME_DIR/m", "${XDG_RUNTIME_DIR}/m"] {
            let json = #"{"mcp_socket": "\#(path)", "ssh_socket": "/s", "ssh_user": "u", "ssh_host": "h"}"#
            #expect(mistakes(json, ["HOME": "/h"]) == ["mcp_socket: names XDG_RUNTIME_DIR, which is not set"])
        }
    }

    @Test func `a socket path that no socket can have is refused, by what it expands to`() {
        func json(_ path: String) -> String {
            #"{"mcp_socket": "\#(path)", "ssh_socket": "/s", "ssh_user": "u", "ssh_host": "h"}"#
        }
        #expect(mistakes(json("/" + String(repeating: "x", count: 106))) == [])
        #expect(
            mistakes(json("/" + String(repeating: "x", count: 107)))
                == ["mcp_socket: must be at most 107 bytes long, got 108"])
        #expect(
            mistakes(json("~/" + String(repeating: "x", count: 98))) == [
                "mcp_socket: must be at most 107 bytes long, got 108"
            ])
        #expect(
            mistakes(json("/" + String(repeating: "é", count: 54))) == [
                "mcp_socket: must be at most 107 bytes long, got 109"
            ])
    }

    @Test func `a host that is not usable has no mistake but its own, whatever else it says`() {
        let rest = [
            #""port": 22"#, #""exec_allowlist": ["git "]"#, #""base_dir": "/srv""#,
            #""forward_allowlist": ["db:5432"]"#,
            #""capabilities": {"exec": true}"#,
        ].joined(separator: ", ")
        for (host, key) in [
            (#""socket": "relative", "user": "u", "host": "h""#, "socket"),
            (#""socket": "/s", "user": "o'neil", "host": "h""#, "user"), (#""socket": "/s", "user": "u""#, "host"),
        ] {
            let found = mistakes(
                #"{"mcp_socket": "/m", "default_host": "a", "hosts": {"a": {\#(host), \#(rest)}}}"#)
            #expect(found.count == 1 && found.first?.hasPrefix("hosts.a.\(key)") == true, "\(found)")
        }
    }

    @Test func `a host's name must be one that can be shown`() {
        func json(_ name: String) -> String {
            #"{"mcp_socket": "/m", "default_host": "\#(name)", "hosts": {"\#(name)": {"socket": "/s", "user": "u", "host": "h"}}}"#
        }
        for name in ["a", "prod (old)", "é", String(repeating: "x", count: 100)] { #expect(mistakes(json(name)) == []) }
        for name in [String(repeating: "x", count: 101), "a\\nb", "\\u0000", "\\u001b[2J"] {
            #expect(mistakes(json(name)).contains { $0.contains("is no usable host name") })
        }
        #expect(mistakes(json("")).contains { $0.contains("is no usable host name") })
    }

    @Test func `a file_transport is one of two, and stands at its host`() throws {
        for name in ["scp", "SFTP", "auto", "shell "] {
            let found = mistakes(multi(#""file_transport": "\#(name)""#))
            #expect(found == [#"hosts.a.file_transport: must be "sftp" or "shell", got "\#(name)""#])
        }
        #expect(
            mistakes(multi("", top: #""file_transport": "shell""#)) == [
                "file_transport: belongs to a host; write it there"
            ])
        for way in FileTransport.allCases {
            let json = #""file_transport": "\#(way.rawValue)""#
            #expect(try config(multi(json)).policy.hosts[0].fileTransport == way)
            #expect(try config(single(json)).policy.hosts[0].fileTransport == way)
        }
        #expect(try config(multi("")).policy.hosts.map(\.fileTransport) == [nil, nil])
    }

    @Test func `a base_dir must be absolute`() {
        #expect(mistakes(multi(#""base_dir": "srv""#)) == [#"hosts.a.base_dir: must be absolute, got "srv""#])
    }
}
