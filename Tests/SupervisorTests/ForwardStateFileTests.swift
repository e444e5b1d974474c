import Glibc
import IPC
import TestSupport
import Testing

@testable import Supervisor

@Suite("State file of forwards")
struct ForwardStateFileTests {
    typealias Forwards = [ForwardRegistry.ID: ForwardRegistry.Forward]

    static func forward(_ port: UInt16 = 20_000, host: String = "box") -> ForwardRegistry.Forward {
        ForwardRegistry.Forward(
            host: host,
            route: ForwardRoute(
                master: Master(socket: "/run/s", user: "u", address: "h"), localPort: port,
                target: .tcp(host: "db.internal", port: 5432)),
            since: 1_700_000_000, phase: .running, inode: 77)
    }

    private func file(_ directory: TemporaryDirectory) -> ForwardStateFile {
        ForwardStateFile(socket: "/run/mcp.sock", runtimeDirectory: directory.path)
    }

    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
    }

    private func failure(_ file: ForwardStateFile) -> String? {
        do throws(ForwardStateFile.Failure) {
            _ = try file.load()
            return nil
        } catch {
            return error.sentence
        }
    }

    @Test func `what is saved is loaded, with mode 0600, and no forwards leave no file`() throws {
        let directory = try TemporaryDirectory()
        let file = file(directory)
        #expect(try file.load() == [:])
        var forwards: Forwards = [1: Self.forward(), UInt32.max: Self.forward(20_001, host: "é \"'\\")]
        forwards[1]?.phase = .establishing
        forwards[1]?.inode = nil
        try file.save(forwards)
        #expect(mode(file.path) == 0o600)
        #expect(try file.load() == forwards)
        #expect(mode(file.path + ".new") == nil)
        try file.save([:])
        #expect(mode(file.path) == nil)
        try file.save([:])
        #expect(try file.load() == [:])
    }

    @Test func `who works at a forward is not the next daemon's concern`() throws {
        let directory = try TemporaryDirectory()
        var forward = Self.forward()
        forward.owner = 5
        forward.attempts = 3
        try file(directory).save([1: forward])
        #expect(try file(directory).load() == [1: Self.forward()])
    }

    @Test func `daemons on different sockets have different files`() {
        let names = ["/run/a.sock", "/run/b.sock", ""].map { ForwardStateFile(socket: $0, runtimeDirectory: "/r").path }
        #expect(Set(names).count == 3)
        #expect(names.allSatisfy { $0.hasPrefix("/r/claude-ssh-daemon-") && $0.hasSuffix(".forwards") })
    }

    @Test func `the fullest state fits the bound on loading`() throws {
        let directory = try TemporaryDirectory()
        var full = Self.forward(host: String(repeating: "\"", count: 255))
        full.route.master.socket = "/" + String(repeating: "\\", count: 254)
        let forwards = Forwards(uniqueKeysWithValues: (1...64).map { ($0, full) })
        try file(directory).save(forwards)
        #expect(try file(directory).load() == forwards)
    }

    private static let good =
        #"{"host":"a","route":{"socket":"/s","user":"u","address":"h","localPort":1,"#
        + #""remoteHost":"r","remotePort":2},"since":1,"phase":"running","reason":""}"#
    private static func json(_ entries: String, version: Int = 1) -> String {
        #"{"version":\#(version),"forwards":[\#(entries)]}"#
    }

    @Test func `a forward that an earlier version was about to cancel is one to cancel`() throws {
        let directory = try TemporaryDirectory()
        let left = Self.good.replacing("running", with: "reaping")
        try directory.write(file(directory).name, Self.json("1,\(left)"))
        #expect(try file(directory).load()[1]?.phase == .toCancel)
    }

    @Test func `a forward to a Unix socket is kept, and one of an earlier version has a host and a port`() throws {
        let directory = try TemporaryDirectory()
        var forward = Self.forward()
        forward.route.target = .unix(path: "/run/db.sock")
        try file(directory).save([1: forward, 2: Self.forward()])
        #expect(try file(directory).load() == [1: forward, 2: Self.forward()])
        try directory.write(file(directory).name, Self.json("1,\(Self.good)"))
        #expect(try file(directory).load()[1]?.route.target == .tcp(host: "r", port: 2))
    }

    @Test func `the text that the damaged ones are made of is a good one`() throws {
        let directory = try TemporaryDirectory()
        try directory.write(file(directory).name, Self.json("1,\(Self.good)"))
        #expect(try file(directory).load().count == 1)
    }

    private static var damaged: [String] {
        let texts = [
            "", "{", "[]", "null", "\u{0}", "{}", #"{"version":1}"#, json("1,\(good)", version: 2), json("1"),
            json("0,\(good)"), json("-1,\(good)"), json("4294967296,\(good)"), json("1,{}"),
            String(repeating: "[", count: 200_000), String(repeating: " ", count: 1 << 20) + json(""),
            json((1...65).map { "\($0),\(good)" }.joined(separator: ",")),
        ]
        let swaps = [
            (#""localPort":1"#, #""localPort":0"#), (#""localPort":1"#, #""localPort":65536"#),
            (#""remotePort":2"#, #""remotePort":0"#), (#""remoteHost":"r""#, #""remoteHost":"-oProxyCommand=x""#),
            (#""remoteHost":"r""#, #""remoteSocket":"r""#), (#""remoteHost":"r""#, #""remoteSocket":"/r:1:h""#),
            (#""remoteHost":"r""#, #""remoteHost":"a b""#), (#""remoteHost":"r""#, #""remoteHost":"""#),
            (#""socket":"/s""#, #""socket":"s""#), (#""user":"u""#, #""user":"-u""#), (#""user":"u""#, #""user":"""#),
            (#""host":"a""#, #""host":"a\u0000""#), (#""running""#, #""walking""#), (#""since":1"#, #""since":-1"#),
            (#""address":"h""#, #""address":"\#(String(repeating: "h", count: 256))""#),
        ]
        return texts
            + swaps.map { swap in
                let parts = good.split(separator: swap.0, omittingEmptySubsequences: false)
                return json("1,\(parts.joined(separator: swap.1))")
            }
    }

    @Test(arguments: damaged.indices)
    func `a damaged file, or one of another version, is set aside, and another one can be written`(index: Int) throws {
        let directory = try TemporaryDirectory()
        let file = file(directory)
        try directory.write(file.name, Self.damaged[index])
        let said = failure(file)
        #expect(said?.hasPrefix("\(file.path) is not used: it is ") == true, "\(said ?? "it was used")")
        #expect(said?.contains("It is now \(file.name).bad") == true)
        #expect(mode(file.path) == nil && mode(file.path + ".bad") != nil)
        #expect(try file.load() == [:])
        try file.save([1: Self.forward()])
        #expect(try file.load() == [1: Self.forward()])
    }

    @Test func `a file cut anywhere is set aside`() throws {
        let directory = try TemporaryDirectory()
        let file = file(directory)
        let text = Self.json("1,\(Self.good)")
        for count in 0..<text.utf8.count {
            try directory.write(file.name, String(text.prefix(count)))
            #expect(failure(file) != nil, "\(count)")
        }
    }

    @Test func `a symlink, a directory, a pipe and a file that others can write to are set aside`() throws {
        for kind in 0..<4 {
            let directory = try TemporaryDirectory()
            let file = file(directory)
            switch kind {
            case 0:
                try directory.write("elsewhere", Self.json("1,\(Self.good)"))
                #expect(symlink(directory.file("elsewhere"), file.path) == 0)
            case 1: #expect(mkdir(file.path, 0o700) == 0)
            case 2: #expect(mkfifo(file.path, 0o600) == 0)
            default: try directory.write(file.name, Self.json("1,\(Self.good)"), mode: 0o620)
            }
            #expect(failure(file)?.contains("is not used") == true, "\(kind)")
            #expect(mode(file.path) == nil, "\(kind)")
            try file.save([1: Self.forward()])
            #expect(try file.load() == [1: Self.forward()])
            if kind == 0 { #expect(mode(directory.file("elsewhere")) == 0o600, "what it led to is untouched") }
        }
    }

    @Test(.enabled(if: isRoot, "only root can be another user"))
    func `a file of another user is set aside`() throws {
        let directory = try TemporaryDirectory()
        let file = file(directory)
        try directory.write(file.name, Self.json("1,\(Self.good)"))
        #expect(chown(file.path, stranger, stranger) == 0)
        #expect(failure(file)?.contains("it is no file of ours alone") == true)
    }

    @Test func `a directory that others can write to, or of another user, or that is a symlink is not used`() throws {
        let directory = try TemporaryDirectory()
        let file = file(directory)
        try file.save([1: Self.forward()])
        #expect(chmod(directory.path, 0o770) == 0)
        #expect(failure(file)?.contains("others can write to it") == true)
        #expect(throws: ForwardStateFile.Failure.self) { try file.save([:]) }
        #expect(chmod(directory.path, 0o700) == 0)
        if isRoot {
            #expect(chown(directory.path, stranger, stranger) == 0)
            #expect(failure(file)?.contains("does not belong to uid 0") == true)
            #expect(chown(directory.path, 0, 0) == 0)
        }
        let outer = try TemporaryDirectory()
        #expect(symlink(directory.path, outer.file("link")) == 0)
        let through = ForwardStateFile(socket: "/run/mcp.sock", runtimeDirectory: outer.file("link"))
        #expect(failure(through)?.contains("cannot be opened") == true)
        #expect(mode(file.path) == 0o600, "none of this has touched the file")
    }

    @Test func `without a runtime directory one of our own is made, with mode 0700, when there is something to write`()
        throws
    {
        let directory = try TemporaryDirectory()
        let own = directory.file("own")
        let file = ForwardStateFile(socket: "/s", runtimeDirectory: nil, ownDirectory: own)
        #expect(try file.load() == [:])
        #expect(mode(own) == nil)
        try file.save([1: Self.forward()])
        #expect(mode(own) == 0o700)
        #expect(try file.load() == [1: Self.forward()])
        try file.save([:])
        let gone = ForwardStateFile(socket: "/s", runtimeDirectory: directory.file("missing"))
        #expect(try gone.load() == [:])
        #expect(throws: ForwardStateFile.Failure.self) { try gone.save([1: Self.forward()]) }
    }
}
