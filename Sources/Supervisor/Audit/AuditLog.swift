internal import CLinux
internal import Glibc
internal import IPC

/// The audit log: a file of chained JSON lines that only grows.
///
/// Each record is written by one write(2) and not synced. So a crash of the daemon loses none, and a power cut may lose the last
/// seconds. A record that cannot be written never delays a call: the file gets the number of lost records later, and the daemon's
/// log a complaint.
final class AuditLog {
    /// Identifies the open file. Several paths can lead to the same file.
    private struct Identity: Equatable {
        let device: UInt
        let inode: UInt
    }

    /// How many bytes at the end of a file are searched for its last line.
    private static let tail = 4 * AuditChain.maximumLine
    /// How many milliseconds are at least between two complaints.
    private static let complaintPause = 60_000

    private var file: OwnedFD?
    private var identity: Identity?
    /// The path as the config spells it.
    private var path = ""
    private var last = AuditChain.beginning
    private var lost = 0
    /// Whether the file ends with a part of a line that could not be removed.
    private var isTorn = false
    private var nextComplaint = 0

    /// The path of the file without symlinks; nil if there is no file.
    private(set) var realPath: String?

    /// Opens the file at this path, or keeps it open if it is the same one: after a rotation there is another file. nil closes it.
    /// The chain goes on after the last line of the file or, if the file is empty, after the last line that was written here.
    func open(_ path: String?) throws(StartError) {
        guard let path else {
            file = nil
            identity = nil
            realPath = nil
            return
        }
        try Self.checkDirectory(path)
        let number = Glibc.open(
            path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0o600)
        let new = try Self.opened(number, path)
        let status = try Self.check(new, path)
        let found = Identity(device: status.st_dev, inode: status.st_ino)
        // This daemon has the lock on the file, so opening it a second time would fail.
        if found == identity {
            self.path = path
            realPath = RealPath.of(path)
            return
        }
        guard flock(new.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            throw StartError(sentence: "audit_log: another claude-ssh-daemon writes to \(path); give each its own")
        }
        let end = Self.lastLine(new, size: Int(status.st_size))
        switch end {
        case .none: break
        case .line(let hash): last = hash
        case .broken: last = AuditChain.beginning
        }
        file = consume new
        identity = found
        self.path = path
        realPath = RealPath.of(path)
        isTorn = false
        if case .broken(let endsInLine) = end {
            isTorn = endsInLine
            Log.write(.warning, "audit log: its last line is broken, the chain begins anew", ["path": .text(path)])
        }
        var members = #""event":"open","version":\#(LogText.quoted(Version.text)),"pid":\#(getpid())"#
        if case .broken = end { members += #","broken_line":true"# }
        write(members)
    }

    /// Writes one record. `members` are those that follow its time.
    /// - Returns: the hash of its line; nil if there is no file or it could not be written.
    @discardableResult
    func write(_ members: String) -> String? {
        guard identity != nil else { return nil }
        if lost > 0 {
            let count = lost
            guard append(#""event":"lost","records":\#(count)"#) else { return missed() }
            lost = 0
        }
        return append(members) ? last : missed()
    }

    private func missed() -> String? {
        let code = errno
        lost += 1
        let now = Clock.milliseconds()
        if now >= nextComplaint {
            nextComplaint = now + Self.complaintPause
            Log.write(
                .error, "audit log: a record could not be written; calls go on",
                [
                    "path": .text(path), "error": .text(String(cString: strerror(code))),
                    "lost": .number(lost),
                ])
        }
        return nil
    }

    private func append(_ members: String) -> Bool {
        guard let descriptor = file?.rawValue else { return false }
        let line = AuditChain.line(after: last, #""time":"\#(Log.timestamp())",\#(members)"#)
        let bytes = (isTorn ? [UInt8(ascii: "\n")] : []) + line + [UInt8(ascii: "\n")]
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        guard count == bytes.count else {
            if count > 0 {
                isTorn = !Self.takeBack(count, from: descriptor)
                errno = ENOSPC
            }
            return false
        }
        isTorn = false
        last = AuditChain.hash(line[...])
        return true
    }

    /// Removes the last bytes of the file, because only a part of a line was written. Nobody else writes to the file. If the file
    /// may only grow (`chattr +a`), the part stays.
    private static func takeBack(_ count: Int, from descriptor: Int32) -> Bool {
        let end = lseek(descriptor, 0, SEEK_END)
        return end >= count && ftruncate(descriptor, end - count) == 0
    }

    private static func check(_ file: borrowing OwnedFD, _ path: String) throws(StartError) -> stat {
        var status = stat()
        guard fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw StartError(sentence: "audit_log: \(path) is not a regular file; name another one")
        }
        guard status.st_uid == geteuid() else {
            throw StartError(
                sentence:
                    "audit_log: \(path) belongs to uid \(status.st_uid); it must belong to uid \(geteuid()): name another file"
            )
        }
        // The group may read the file, because collectors of logs do.
        guard status.st_mode & 0o026 == 0 else {
            throw StartError(
                sentence: "audit_log: \(path) must not be writable by its group, nor open to others; "
                    + "run: chmod g-w,o-rw \(ShellWord.quoted(path))")
        }
        return status
    }

    /// Why `open` would refuse a path. This makes no file and opens none for writing.
    static func judge(_ path: String) throws(StartError) {
        try checkDirectory(path)
        let number = Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        if number < 0 && errno == ENOENT {
            if let problem = DirectoryOwner.writingProblem(of: path) {
                throw StartError(sentence: "audit_log: the directory of \(path), \(problem)")
            }
            return
        }
        _ = try check(try opened(number, path), path)
        // It is opened for both.
        guard faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0 else {
            throw StartError(
                sentence: "audit_log: \(path) cannot be written: \(String(cString: strerror(errno))); "
                    + "run: chmod u+rw \(ShellWord.quoted(path)), or name another file")
        }
    }

    private static func checkDirectory(_ path: String) throws(StartError) {
        if let problem = DirectoryOwner.problem(of: path) {
            throw StartError(sentence: "audit_log: the directory of \(path), \(problem)")
        }
    }

    private static func opened(_ number: Int32, _ path: String) throws(StartError) -> OwnedFD {
        guard number >= 0 else {
            let why =
                errno == ELOOP
                ? "it is a symlink; name the file itself"
                : "\(String(cString: strerror(errno))); name another file, or run: chmod u+rw \(ShellWord.quoted(path))"
            throw StartError(sentence: "audit_log: \(path) cannot be opened: \(why)")
        }
        return OwnedFD(taking: number)
    }

    /// What is at the end of a file.
    private enum End {
        /// Nothing: the file is empty.
        case none
        case line(hash: String)
        /// Something that is no record; `endsInLine` if it has no newline at its end.
        case broken(endsInLine: Bool)
    }

    private static func lastLine(_ file: borrowing OwnedFD, size: Int) -> End {
        guard size > 0 else { return .none }
        var bytes = [UInt8](repeating: 0, count: min(size, tail))
        let count = pread(file.rawValue, &bytes, bytes.count, off_t(size - bytes.count))
        guard count == bytes.count, bytes.last == UInt8(ascii: "\n") else { return .broken(endsInLine: true) }
        let whole = bytes.dropLast()
        let line = whole.suffix(from: whole.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? whole.startIndex)
        return AuditChain.previous(of: line) == nil ? .broken(endsInLine: false) : .line(hash: AuditChain.hash(line))
    }
}
