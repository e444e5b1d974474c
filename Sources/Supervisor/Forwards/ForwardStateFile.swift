internal import FoundationEssentials
internal import CLinux
internal import Glibc
internal import IPC

/// The file in which forwards are written down before a master is asked for them, so that the next daemon finds them if this one
/// crashes. It is JSON of mode 0600 in `$XDG_RUNTIME_DIR` or in a directory of our own, and is replaced as a whole, rename(2).
struct ForwardStateFile {
    /// What could not be done.
    struct Failure: Error, Equatable {
        /// The words for the log.
        let sentence: String
        /// The answer to a worker that asked for a forward.
        let refusal: ForwardRefusal
    }

    private struct Contents: Codable {
        var version = 1
        var forwards: [ForwardRegistry.ID: ForwardRegistry.Forward]
    }

    private static let maximumSize = 1 << 20

    let directory: String
    let name: String
    /// Whether the directory is for this file alone. Then it is made if it is missing.
    private let isOwn: Bool

    /// - Parameters:
    ///   - socket: the MCP socket. Daemons with different sockets have different files.
    ///   - ownDirectory: the directory to use, and to make, if there is no `$XDG_RUNTIME_DIR`.
    init(
        socket: String, runtimeDirectory: String?, ownDirectory: String = "/tmp/claude-ssh-daemon-\(geteuid())"
    ) {
        // The hash FNV-1a.
        let hash = socket.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        name = "claude-ssh-daemon-\(String(hash, radix: 16)).forwards"
        directory = runtimeDirectory ?? ownDirectory
        isOwn = runtimeDirectory == nil
    }

    var path: String { "\(directory)/\(name)" }

    /// Opens the directory, which must be one where no other user can put a file; nil if it does not exist.
    private func open(creating: Bool) throws(Failure) -> OwnedFD? {
        if isOwn, creating, mkdir(directory, 0o700) != 0, errno != EEXIST { throw failure("made") }
        let number = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard number >= 0 else {
            if errno == ENOENT, !creating { return nil }
            throw failure("opened")
        }
        let opened = OwnedFD(taking: number)
        var status = stat()
        guard fstat(opened.rawValue, &status) == 0, status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
            throw Failure(
                sentence: "\(directory) does not belong to uid \(geteuid()), or others can write to it",
                refusal: .notWrittenAmongOthers(directory: directory))
        }
        return opened
    }

    /// Why it cannot be written, as a sentence with what to do; nil if nothing stands in the way. This only looks.
    var problem: String? {
        var status = stat()
        guard lstat(directory, &status) == 0 else {
            if isOwn, errno == ENOENT { return nil }
            return errno == ENOENT
                ? "the directory of its state, \(directory) (XDG_RUNTIME_DIR), does not exist; \(DirectoryOwner.make(directory))"
                : "the directory of its state, \(directory), cannot be used: \(String(cString: strerror(errno)))"
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            return
                "the directory of its state, \(directory), is no directory; name a directory of your own in XDG_RUNTIME_DIR"
        }
        guard status.st_uid == geteuid() else {
            return
                "the directory of its state, \(directory), belongs to uid \(status.st_uid); name a directory of your own in "
                + "XDG_RUNTIME_DIR"
        }
        guard status.st_mode & 0o022 == 0 else {
            return
                "others can write to the directory of its state, \(directory); run: chmod go-w \(ShellWord.quoted(directory))"
        }
        return DirectoryOwner.writingProblem(of: path).map { "the directory of its state, \($0)" }
    }

    private func failure(_ what: String, _ file: String? = nil) -> Failure {
        let (path, code) = (file ?? directory, errno)
        return Failure(
            sentence: "\(path) cannot be \(what): \(String(cString: strerror(code)))",
            refusal: .notWritten(path: path, errno: UInt32(clamping: code)))
    }

    /// Reads what an earlier daemon has written. If there is no file, there are no forwards.
    /// - Throws: if this daemon would not have written such a file. It is then renamed, if that is possible.
    func load() throws(Failure) -> [ForwardRegistry.ID: ForwardRegistry.Forward] {
        guard let folder = try open(creating: false) else { return [:] }
        let number = openat(folder.rawValue, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        if number < 0, errno == ENOENT { return [:] }
        guard number >= 0 else { throw setAside(folder, String(cString: strerror(errno))) }
        let file = OwnedFD(taking: number)
        var status = stat()
        guard fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
            status.st_mode & 0o022 == 0
        else { throw setAside(folder, "it is no file of ours alone") }
        guard status.st_size <= Self.maximumSize else { throw setAside(folder, "it is too large") }
        var json = Data(count: Int(status.st_size))
        let count = json.withUnsafeMutableBytes { pread(file.rawValue, $0.baseAddress, $0.count, 0) }
        guard count == json.count, let contents = try? JSONDecoder().decode(Contents.self, from: json),
            contents.version == 1, contents.forwards.count <= ForwardRegistry.maximumCount,
            contents.forwards.allSatisfy({ $0.key > 0 && $0.value.isPlausible })
        else { throw setAside(folder, "it is damaged, or of another version") }
        return contents.forwards
    }

    private func setAside(_ folder: borrowing OwnedFD, _ why: String) -> Failure {
        let moved = renameat(folder.rawValue, name, folder.rawValue, name + ".bad") == 0
        return Failure(
            sentence: "\(path) is not used: \(why). It \(moved ? "is now" : "could not be set aside as") \(name).bad. "
                + "Forwards from before are not known; ssh -O cancel ends them, or the end of their ControlMaster does",
            // The file is read at the start, when nobody has asked for a forward.
            refusal: .notWritten(path: path, errno: UInt32(EINVAL)))
    }

    /// Replaces the file, and waits until it is on the disk. If there are no forwards, the file is removed.
    func save(_ forwards: [ForwardRegistry.ID: ForwardRegistry.Forward]) throws(Failure) {
        guard let folder = try open(creating: true) else { return }
        if forwards.isEmpty {
            guard unlinkat(folder.rawValue, name, 0) == 0 || errno == ENOENT else { throw failure("removed", path) }
        } else {
            try write(forwards, folder)
        }
        guard fsync(folder.rawValue) == 0 else { throw failure("written") }
    }

    private func write(
        _ forwards: [ForwardRegistry.ID: ForwardRegistry.Forward], _ folder: borrowing OwnedFD
    ) throws(Failure) {
        guard let json = try? JSONEncoder().encode(Contents(forwards: forwards)) else { throw failure("encoded", path) }
        let temporary = name + ".new"
        unlinkat(folder.rawValue, temporary, 0)
        let number = openat(folder.rawValue, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw failure("written", path) }
        let file = OwnedFD(taking: number)
        let count = json.withUnsafeBytes { Glibc.write(file.rawValue, $0.baseAddress, $0.count) }
        guard count == json.count, fsync(file.rawValue) == 0,
            renameat(folder.rawValue, temporary, folder.rawValue, name) == 0
        else {
            let failed = failure("written", path)
            unlinkat(folder.rawValue, temporary, 0)
            throw failed
        }
    }
}
