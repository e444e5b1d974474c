import Glibc
import IPC
import TestSupport
import Testing

@testable import Supervisor

/// Real files. What opens a log that another has just closed runs in a process of its own: a child that another test
/// is starting holds a copy of the closed descriptor, and the lock with it, until it executes its program.
@Suite("Audit log")
struct AuditLogTests {
    private static func lines(_ path: String) -> [String] {
        let file = OwnedFD(taking: open(path, O_RDONLY | O_CLOEXEC))
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(file.rawValue, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private static func refusal(_ path: String) -> String? {
        do throws(StartError) {
            try AuditLog().open(path)
            return nil
        } catch {
            return error.sentence
        }
    }

    /// The verdict of `audit verify`: nil where the chain is whole.
    private static func verify(_ paths: String..., last: String? = nil) -> String? {
        var verifier = AuditVerifier(last: last)
        do throws(AuditVerifier.Break) {
            for path in paths { try verifier.read(path) }
            try verifier.finish()
            return nil
        } catch {
            return error.sentence
        }
    }

    @Test func `SHA-256 is that of FIPS 180-4`() {
        #expect(
            AuditChain.hash(Array("abc".utf8)[...])
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(AuditChain.hash([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func `a new log is 0600, and its lines are chained from zeros on`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("audit.log")
        let log = AuditLog()
        try log.open(path)
        let hash = log.write(#""event":"call","n":1"#)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
        let lines = Self.lines(path)
        #expect(lines.count == 2)
        #expect(lines[0].hasPrefix(#"{"prev":"\#(AuditChain.beginning)","time":"2"#))
        #expect(lines[0].contains(#"Z","event":"open","version":""#))
        #expect(lines[1].hasPrefix(#"{"prev":"\#(AuditChain.hash(Array(lines[0].utf8)[...]))","#))
        #expect(lines[1].hasSuffix(#","event":"call","n":1}"#))
        #expect(hash == AuditChain.hash(Array(lines[1].utf8)[...]))
        #expect(Self.verify(path) == nil)
    }

    @Test func `without a file nothing is written`() throws {
        let log = AuditLog()
        try log.open(nil)
        #expect(log.write("x") == nil)
        #expect(log.realPath == nil)
    }

    @Test func `the chain goes on after a restart, and after a rotation in the new file`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("audit.log")
            do {
                let log = AuditLog()
                try log.open(path)
                log.write(#""n":1"#)
            }
            let log = AuditLog()
            try log.open(path)
            log.write(#""n":2"#)
            #expect(Self.lines(path).count == 4)
            #expect(Self.verify(path) == nil)
            // Nothing was rotated: nothing is said, and the lock is not taken twice.
            try log.open(path)
            #expect(Self.lines(path).count == 4)
            #expect(rename(path, directory.file("audit.log.1")) == 0)
            log.write(#""n":3"#)
            #expect(Self.lines(directory.file("audit.log.1")).count == 5, "until HUP the old file is written")
            try log.open(path)
            let last = log.write(#""n":4"#)
            #expect(Self.lines(path).count == 2)
            #expect(Self.verify(directory.file("audit.log.1"), path, last: last) == nil)
            #expect(Self.verify(path) == nil, "a later file alone is whole in itself")
            #expect(
                Self.verify(path, directory.file("audit.log.1"))
                    == "\(directory.file("audit.log.1")), line 1: begins a new chain")
            #expect(
                Self.verify(directory.file("audit.log.1"), last: last)
                    == "no line has the hash \(last ?? ""): lines are missing at the end, after line 5")
        }
    }

    @Test(arguments: [
        (#"{"prev":"x"}"#, 1), ("no record\n", 0), (#"{"prev":"00","time":"#, 1), ("\n", 0), ("{}\n", 0),
        (String(repeating: "x", count: 200_000), 1),
    ])
    func `a broken last line begins the chain anew, marked, and verify shows it`(text: String, unended: Int) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("audit.log", text)
        let log = AuditLog()
        try log.open(path)
        log.write(#""n":1"#)
        let lines = Self.lines(path).suffix(2)
        #expect(lines.first?.hasPrefix(#"{"prev":"\#(AuditChain.beginning)","#) == true, "\(lines)")
        #expect(lines.first?.hasSuffix(#","broken_line":true}"#) == true)
        #expect(Self.verify(path) != nil)
        // What comes after it is whole.
        let rest = try directory.write("rest", lines.joined(separator: "\n") + "\n")
        #expect(Self.verify(rest) == nil)
    }

    @Test func `what is no file of ours alone is refused`() throws {
        let directory = try TemporaryDirectory()
        let target = try directory.write("target", "")
        #expect(symlink(target, directory.file("link")) == 0)
        #expect(
            Self.refusal(directory.file("link"))
                == "audit_log: \(directory.file("link")) cannot be opened: it is a symlink; name the file itself")
        #expect(mkfifo(directory.file("fifo"), 0o600) == 0)
        #expect(Self.refusal(directory.file("fifo"))?.hasSuffix("is not a regular file; name another one") == true)
        #expect(Self.refusal("/dev/null")?.hasSuffix("is not a regular file; name another one") == true)
        #expect(Self.refusal(directory.path)?.contains("cannot be opened") == true)
        for mode in [0o620, 0o602, 0o604, 0o666] as [mode_t] {
            let open = try directory.write("open", "", mode: mode)
            #expect(Self.refusal(open)?.hasSuffix("nor open to others; run: chmod g-w,o-rw \(open)") == true)
        }
        #expect(Self.refusal(directory.file("none/a"))?.contains("does not exist; run: install -d -m 700 ") == true)
        chmod(directory.path, 0o777)
        #expect(Self.refusal(directory.file("a"))?.contains("can be written by others and is not sticky") == true)
        #expect(Self.lines(target).isEmpty)
    }

    @Test func `check refuses what a start would refuse, and makes nothing`() throws {
        let directory = try TemporaryDirectory()
        let target = try directory.write("target", "")
        #expect(symlink(target, directory.file("link")) == 0)
        let open = try directory.write("open", "", mode: 0o666)
        for path in [directory.file("link"), directory.path, "/dev/null", open, directory.file("none/a")] {
            #expect(throws: StartError.self, "\(path)") { try AuditLog.judge(path) }
        }
        let group = try directory.write("group", "", mode: 0o640)
        for path in [target, group, directory.file("new")] { try AuditLog.judge(path) }
        #expect(access(directory.file("new"), F_OK) != 0)
        let log = AuditLog()
        try log.open(target)
        try AuditLog.judge(target)
    }

    @Test(.enabled(if: isRoot, "only root can be another user"))
    func `another user's file is refused`() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("audit.log", "")
        #expect(chown(path, stranger, stranger) == 0)
        #expect(
            Self.refusal(path) == "audit_log: \(path) belongs to uid 65534; it must belong to uid 0: name another file")
    }

    @Test func `two daemons do not write to one log`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("audit.log")
            let first = AuditLog()
            try first.open(path)
            #expect(Self.refusal(path)?.contains("another claude-ssh-daemon writes to") == true)
            try first.open(nil)
            #expect(Self.refusal(path) == nil, "closed, it is free")
        }
    }

    @Test func `another spelling of its own path is the same file, and no second daemon`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("audit.log")
        let log = AuditLog()
        try log.open(path)
        #expect(symlink(directory.path, directory.file("here")) == 0)
        #expect(link(path, directory.file("hard")) == 0)
        for spelling in ["./audit.log", "here/audit.log", "/audit.log", "hard", "audit.log"] {
            try log.open("\(directory.path)/\(spelling)")
            #expect(log.write(#""n":1"#) != nil)
            #expect(log.realPath == RealPath.of("\(directory.path)/\(spelling)"))
        }
        #expect(Self.lines(path).count == 6, "one start, and the chain goes on")
        #expect(Self.verify(path) == nil)
        #expect(Self.refusal(directory.file("here/audit.log"))?.contains("another claude-ssh-daemon") == true)
    }

    @Test func `a file that cannot be opened leaves the old one in use`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("audit.log")
        let log = AuditLog()
        try log.open(path)
        #expect(throws: StartError.self) { try log.open("/dev/null") }
        #expect(log.write(#""n":1"#) != nil)
        #expect(Self.lines(path).count == 2)
        #expect(log.realPath == RealPath.of(path))
    }

    @Test func `records that find no room are counted, and the chain holds`() async {
        // The limit on file sizes stands for a full disk; it is a whole process's.
        await #expect(processExitsWith: .success) {
            signal(SIGXFSZ, SIG_IGN)
            let directory = try TemporaryDirectory()
            let path = directory.file("audit.log")
            let log = AuditLog()
            try log.open(path)
            var status = stat()
            stat(path, &status)
            func limit(_ bytes: UInt) {
                var limit = rlimit(rlim_cur: bytes, rlim_max: UInt.max)
                setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            }
            limit(UInt(status.st_size))
            #expect(log.write(#""n":1"#) == nil)
            #expect(log.write(#""n":2"#) == nil)
            #expect(Self.lines(path).count == 1)
            limit(UInt.max)
            #expect(log.write(#""n":3"#) != nil)
            #expect(Self.lines(path).count == 3)
            #expect(Self.lines(path)[1].hasSuffix(#","event":"lost","records":2}"#))
            #expect(Self.verify(path) == nil)

            stat(path, &status)
            limit(UInt(status.st_size + 100))
            #expect(log.write(#""n":4"#) == nil)
            #expect(Self.lines(path).count == 3, "what went in of a line is taken back")
            limit(UInt.max)
            #expect(log.write(#""n":5"#) != nil)
            #expect(Self.lines(path).count == 5)
            #expect(Self.verify(path) == nil)
        }
    }

    /// Sets or clears the attribute by which a file can only grow; false where this user or file system cannot.
    private static func chattr(_ change: String, _ path: String) -> Bool {
        var pid: pid_t = 0
        let arguments = ["chattr", change, path].map { (word: String) in strdup(word) }
        defer { for argument in arguments { free(argument) } }
        guard posix_spawnp(&pid, "chattr", nil, nil, arguments + [nil], nil) == 0 else { return false }
        var status: Int32 = 0
        return waitpid(pid, &status, 0) == pid && status == 0
    }

    @Test func `where the file can only grow, a line that went in by half is told by verify`() async {
        await #expect(processExitsWith: .success) {
            signal(SIGXFSZ, SIG_IGN)
            let directory = try TemporaryDirectory()
            let path = directory.file("audit.log")
            let log = AuditLog()
            try log.open(path)
            guard Self.chattr("+a", path) else { return }
            defer { _ = Self.chattr("-a", path) }
            var status = stat()
            stat(path, &status)
            var limit = rlimit(rlim_cur: rlim_t(status.st_size + 100), rlim_max: UInt.max)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            #expect(log.write(#""n":1"#) == nil)
            limit.rlim_cur = UInt.max
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let last = log.write(#""n":2"#)
            let lines = Self.lines(path)
            #expect(lines.count == 4 && lines[1].utf8.count == 100)
            #expect(lines[2].hasSuffix(#","event":"lost","records":1}"#) && lines[3].hasSuffix(#""n":2}"#))
            #expect(last == AuditChain.hash(Array(lines[3].utf8)[...]))
            #expect(Self.verify(path) == "\(path), line 2: is no record")
        }
    }

    @Test func `verify finds every way to tamper with a line, and names the first line that breaks`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("audit.log")
        let log = AuditLog()
        try log.open(path)
        for number in 1...9 { log.write(#""event":"call","n":\#(number)"#) }
        let lines = Self.lines(path)
        #expect(lines.count == 10 && Self.verify(path) == nil)
        func check(_ changed: [String], ended: Bool = true, breaksAt line: Int?, last: String? = nil) throws {
            let copy = try directory.write("copy", changed.joined(separator: "\n") + (ended ? "\n" : ""))
            let verdict = Self.verify(copy, last: last)
            #expect(
                line.map { verdict?.hasPrefix("\(copy), line \($0): ") == true } ?? (verdict == nil),
                "\(verdict ?? "intact")")
        }
        // A changed byte, wherever it is, shows in the next line or its own.
        for index in 0..<9 {
            for position in stride(from: 0, to: lines[index].utf8.count, by: 7) {
                var bytes = Array(lines[index].utf8)
                bytes[position] ^= 1
                var changed = lines
                changed[index] = String(decoding: bytes, as: UTF8.self)
                let copy = try directory.write("copy", changed.joined(separator: "\n") + "\n")
                let verdict = try #require(Self.verify(copy), "\(index), \(position)")
                #expect([index + 1, index + 2].contains { verdict.hasPrefix("\(copy), line \($0): ") }, "\(verdict)")
            }
        }
        try check(lines.enumerated().filter { $0.offset != 4 }.map(\.element), breaksAt: 5)
        var swapped = lines
        swapped.swapAt(3, 4)
        try check(swapped, breaksAt: 4)
        try check(lines.prefix(3) + [lines[2]] + lines.suffix(7), breaksAt: 4)
        try check(lines.prefix(5) + [""] + lines.suffix(5), breaksAt: 6)
        try check(lines, ended: false, breaksAt: 10)
        // The chain alone cannot tell what is missing at its ends; a hash that was kept elsewhere can.
        try check(Array(lines.dropLast(2)), breaksAt: nil)
        try check(Array(lines.dropFirst(2)), breaksAt: nil)
        let last = AuditChain.hash(Array(lines[9].utf8)[...])
        let cut = try directory.write("copy", lines.dropLast(2).joined(separator: "\n") + "\n")
        #expect(
            Self.verify(cut, last: last) == "no line has the hash \(last): lines are missing at the end, after line 8")
        #expect(Self.verify(path, last: last.uppercased()) == nil)
        let earlier = AuditChain.hash(Array(lines[6].utf8)[...])
        #expect(Self.verify(path, last: earlier) == "3 lines follow the one with the hash \(earlier)")
    }

    @Test func `verify takes what is no audit log, however large its lines`() throws {
        let directory = try TemporaryDirectory()
        let empty = try directory.write("empty", "")
        #expect(Self.verify(empty) == nil)
        let long = try directory.write("long", "")
        #expect(truncate(long, 100 << 20) == 0)
        #expect(Self.verify(long) == "\(long), line 1: is longer than any record")
        #expect(
            Self.verify(directory.file("none"))
                == "\(directory.file("none")): cannot be opened: No such file or directory")
        #expect(Self.verify(directory.path) == "\(directory.path): cannot be read: Is a directory")
        let head = #"{"prev":"\#(AuditChain.beginning)","#
        for text in [
            "[]\n", "{}\n", head + "}\n", head + "\"a\":1\n", head + "\"a\":1}}\n", "\(head.uppercased())\"a\":1}\n",
        ] {
            let path = try directory.write("text", text)
            #expect(Self.verify(path) == "\(path), line 1: is no record", "\(text)")
        }
    }
}
