import Glibc
import IPC
import TestSupport
import Testing

@testable import Supervisor

/// A restriction with a value that restricts nothing is not served as if it did.
@Suite("Restrictions")
struct RestrictionsTests {
    /// A config with `@` where the value goes, and the path of the key that it is for.
    struct Place: Sendable {
        let json: String
        let path: String
    }

    private static func host(_ key: String, _ path: String? = nil) -> Place {
        Place(json: multi(key), path: "hosts.a.\(path ?? String(key.split(separator: "\"")[0]))")
    }

    /// Every key that leaves something open where it is left out.
    private static let open = [
        host(#""base_dir": @"#), host(#""exec_allowlist": @"#), host(#""forward_allowlist": @"#),
        host(#""file_transport": @"#), Place(json: single(#""file_transport": @"#), path: "file_transport"),
        host(#""capabilities": @"#), host(#""capabilities": {"exec": @}"#, "capabilities.exec"),
        host(#""capabilities": {"file_read": @}"#, "capabilities.file_read"),
        host(#""capabilities": {"file_write": @}"#, "capabilities.file_write"),
        host(#""capabilities": {"port_forward": @}"#, "capabilities.port_forward"),
        Place(json: multi("", top: #""local_roots": @"#), path: "local_roots"),
        Place(json: single(#""local_roots": @"#), path: "local_roots"),
        Place(json: single(#""audit_log": @"#), path: "audit_log"),
    ]

    /// What version 2.1 documents for "not restricted".
    private static let documented = [("hosts.a.base_dir", "\"\""), ("hosts.a.exec_allowlist", "null")]

    @Test(arguments: open.indices, ["null", "\"\""])
    func `null and an empty text are mistakes, named by their path`(index: Int, value: String) throws {
        let place = Self.open[index]
        let json = place.json.replacing("@", with: value)
        guard !Self.documented.contains(where: { $0 == (place.path, value) }) else {
            #expect(mistakes(json) == [])
            let warnings = try config(json).warnings
            #expect(warnings.count == 1)
            #expect(warnings.first?.hasPrefix("\(place.path): \(value) restricts nothing: ") == true, "\(warnings)")
            return
        }
        let found = mistakes(json)
        #expect(found.count == 1, "\(json): \(found)")
        #expect(found.first?.hasPrefix("\(place.path): \(value) restricts nothing: ") == true, "\(found)")
    }

    @Test(arguments: open.indices, ["[null]", "[[]]", "[{}]", "{\"x\": null}", "[false]", "0", "[\"\", null]"])
    func `nor is any other empty form served`(index: Int, value: String) {
        let place = Self.open[index]
        #expect(!mistakes(place.json.replacing("@", with: value)).isEmpty, "\(value)")
    }

    private static let roots = [
        "/", "//", "/.", "/./", "/..", "/srv/..", "/srv/../", "/a/../..", "/a/b/../../", "/a/./../b/..//", "/../../",
        "/\\u0061/..",
    ]

    @Test(arguments: roots)
    func `the root directory is a mistake with its reason, however it is spelled`(path: String) {
        let base = mistakes(multi(#""base_dir": "\#(path)""#))
        #expect(base.count == 1)
        #expect(base.first?.hasPrefix("hosts.a.base_dir: restricts nothing: ") == true, "\(base)")
        #expect(base.first?.contains("is the root directory") == true)
        let local = mistakes(single(#""local_roots": ["/tmp", "\#(path)"]"#))
        #expect(local.count == 1)
        #expect(local.first?.hasPrefix("local_roots[1]: restricts nothing: ") == true, "\(local)")
    }

    @Test(arguments: ["~/../..", "$XDG_RUNTIME_DIR/../../..", "${XDG_RUNTIME_DIR}/../../../.."])
    func `so is one that is so when it is expanded`(path: String) {
        #expect(mistakes(single(#""local_roots": ["\#(path)"]"#)).count == 1)
    }

    @Test(arguments: [
        "/proc/self/root", "//proc/./self/root/", "/proc/1/root", "/proc/thread-self/root", "/proc/self/cwd",
        "/proc/1/task/1/root", "/proc/self/root/srv", "/proc/self/root/..", "/proc/self/fd/3", "/dev/fd/3",
        "/srv/../proc/self/root",
    ])
    func `so is what /proc calls a directory of a process`(path: String) {
        let base = mistakes(multi(#""base_dir": "\#(path)""#))
        #expect(base.count == 1 && base.first?.hasPrefix("hosts.a.base_dir: restricts nothing: ") == true, "\(base)")
        let local = mistakes(single(#""local_roots": ["/tmp", "\#(path)"]"#))
        #expect(local.count == 1 && local.first?.hasPrefix("local_roots[1]: restricts nothing: ") == true, "\(local)")
    }

    @Test func `a root that leads to the root directory is a mistake where it may be looked at`() throws {
        let directory = try TemporaryDirectory()
        symlink("/", directory.file("all"))
        symlink(directory.path, directory.file("own"))
        let roots = ["", "/own", "/all", "/all/", "/own/all", "/missing"].map { "\"\(directory.path)\($0)\"" }
        // Reading it looks at nothing.
        let loaded = try config(single(#""local_roots": [\#(roots.joined(separator: ", "))]"#))
        let found = RootDirectory.mistakes(in: loaded)
        #expect(
            found.map { String($0.prefix(14)) } == ["local_roots[2]", "local_roots[3]", "local_roots[4]"], "\(found)")
    }

    @Test(arguments: [
        "/srv", "/srv/", "/...", "/..a", "/a/../b", "/ ", "/srv/a/..", "/proc", "/srv/proc/self/root", "/dev/shm",
    ])
    func `a directory below it is taken`(path: String) throws {
        #expect(try config(multi(#""base_dir": "\#(path)""#)).policy.hosts[0].baseDir == path)
        #expect(try config(single(#""local_roots": ["\#(path)"]"#)).localRoots == [path])
    }

    @Test func `an empty list allows nothing, without a warning`() throws {
        let loaded = try config(
            multi(#""exec_allowlist": [], "forward_allowlist": []"#, top: #""local_roots": []"#))
        #expect(loaded.policy.hosts[0].execAllowlist == [] && loaded.policy.hosts[0].forwardAllowlist == [])
        #expect(loaded.localRoots == [])
        #expect(loaded.warnings == [])
    }

    @Test func `an entry that covers every target is warned of`() throws {
        let loaded = try config(multi(#""forward_allowlist": ["db:5432", "*:*"]"#))
        #expect(
            loaded.warnings == [
                "hosts.a.forward_allowlist[1]: \"*:*\" restricts nothing: every host and port is covered"
            ])
    }

    @Test(arguments: ["exec_allowlist", "base_dir", "forward_allowlist"])
    func `a host's restriction beside the one host of a config is a mistake, also as null`(key: String) {
        for value in ["null", "\"\"", "[]"] {
            let found = mistakes(single(#""\#(key)": \#(value)"#))
            #expect(
                found == ["\(key): belongs to a host; name the host in \"hosts\" to restrict it"], "\(found)")
        }
    }

    @Test(arguments: [
        "capabilities": ["exec", "file_read", "file_write", "port_forward"],
        "safeguards": ["allow_delete", "allow_overwrite", "guard_disabled", "patterns"],
        "sandbox": ["require_landlock"],
        "limits": [
            "max_output_bytes", "max_read_bytes", "max_request_bytes", "sessions_per_host", "max_timeout_seconds",
        ],
    ])
    func `where the key's absence closes, null is a mistake as well, named by its path`(object: String, keys: [String])
    {
        let why = ": null sets nothing, so that the default holds. Write a value, or remove the key"
        #expect(mistakes(single(#""\#(object)": null"#)) == [object + why])
        let members = keys.map { #""\#($0)": null"# }.joined(separator: ", ")
        #expect(mistakes(single(#""\#(object)": {\#(members)}"#)) == keys.map { "\(object).\($0)" + why })
    }
}
