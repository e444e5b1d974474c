internal import CLinux
internal import Glibc
internal import IPC

/// Opens local files for a worker, which has no file system: the source of an upload, the target of a download.
///
/// A path is resolved once, by the kernel, to a descriptor; everything is judged on that descriptor, so that no symlink
/// and no rename in between can lead elsewhere. Paths are taken apart by their bytes, as the kernel does it: to Swift a
/// slash with a combining mark behind it is no slash.
public struct LocalFiles {
    /// A file that was opened for reading.
    struct Opened: ~Copyable {
        let file: OwnedFD
        /// In bytes.
        let size: UInt64
    }

    /// A new file that has no name yet, or a temporary one where the file system knows no unnamed files.
    struct Pending: ~Copyable {
        let file: OwnedFD
        let directory: OwnedFD
        let name: String
        /// The path as it was asked for.
        let path: String
        /// Files could be replaced when it was made.
        let mayReplace: Bool
        var temporaryName: String?

        deinit {
            if let temporaryName { unlinkat(directory.rawValue, temporaryName, 0) }
        }
    }

    private(set) var rules: LocalRules
    private let allowOverwrite: Bool
    /// The permission bits that no new file gets.
    private let mask: mode_t

    init(_ rules: LocalRules, allowOverwrite: Bool, mask: mode_t = 0o077) {
        self.rules = rules
        self.allowOverwrite = allowOverwrite
        self.mask = mask
    }

    /// The daemon's own files have changed.
    mutating func update(own: [OwnPath]) { rules.update(own: own) }

    /// Opens a regular file for reading.
    func open(_ path: String) throws(LocalRefusal) -> Opened {
        try checkForm(path)
        try rules.judge(asked: path)
        let found = try resolve(path, flags: UInt64(CSD_O_PATH | O_CLOEXEC), asked: path)
        try rules.judge(real: try realPath(found, path), asked: path)
        try rules.judge(links: links(found), asked: path)
        // What is no regular file is not opened: a FIFO or a device would do something.
        _ = try regular(found, path)
        // Without O_NONBLOCK somebody else's lease, fcntl(2) F_SETLEASE, would hold up this broker for 45 s.
        let number = Glibc.open("/proc/self/fd/\(found.rawValue)", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard number >= 0 else { throw refusal(path, errno) }
        let file = OwnedFD(taking: number)
        let size = try regular(file, path)
        return Opened(file: file, size: size)
    }

    /// Makes a file of mode 0600 in the directory of `path`, without the name.
    func create(_ path: String) throws(LocalRefusal) -> Pending {
        try checkForm(path)
        let (parent, name) = PathComponents.split(path)
        guard !name.isEmpty, name != ".", name != ".." else {
            throw LocalRefusal(sentence: "The local path \(path) names a directory. Name the file to write.")
        }
        try rules.judge(asked: path)
        let directory = try resolve(parent, flags: UInt64(CSD_O_PATH | O_DIRECTORY | O_CLOEXEC), asked: path)
        let real = try realPath(directory, path, name: name)
        try rules.judge(real: real, asked: path)
        try rules.judge(new: real, asked: path)
        try checkTarget(directory, name, path, mayReplace: allowOverwrite)
        let here = "/proc/self/fd/\(directory.rawValue)"
        let unnamed = Glibc.open(here, CSD_O_TMPFILE | O_WRONLY | O_CLOEXEC, 0o600)
        if unnamed >= 0 {
            return Pending(
                file: OwnedFD(taking: unnamed), directory: directory, name: name, path: path,
                mayReplace: allowOverwrite,
                temporaryName: nil)
        }
        // NFS and some others have no unnamed files.
        guard errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT else { throw refusal(path, errno) }
        let temporary = Self.temporaryName
        let named = openat(
            directory.rawValue, temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0o600)
        guard named >= 0 else { throw refusal(path, errno) }
        return Pending(
            file: OwnedFD(taking: named), directory: directory, name: name, path: path, mayReplace: allowOverwrite,
            temporaryName: temporary)
    }

    /// Gives the file its name; an existing file is replaced only where that was allowed when it was made, and then in one
    /// step. A file that has become one of the daemon's own since is not replaced.
    /// - Parameter mode: permission bits of a new file, of which the umask takes some away. A file that is replaced passes its own on,
    ///   but no set-id bits.
    /// - Returns: a path that leads to the file now: the one that was asked for or, where the directory has moved since, its real
    ///   one. Empty where neither was seen to lead there.
    func commit(_ pending: consuming Pending, mode: mode_t = 0o600) throws(LocalRefusal) -> String {
        let real = try realPath(pending.directory, pending.path, name: pending.name)
        try rules.judgeOwn(real: real, asked: pending.path)
        let existing = try checkTarget(
            pending.directory, pending.name, pending.path, mayReplace: pending.mayReplace)
        // It was made with mode 0600. A file system without modes may refuse others, and the file is whole all the same.
        _ = fchmod(pending.file.rawValue, (existing ?? mode & ~mask) & 0o777)
        let directory = pending.directory.rawValue
        if !pending.mayReplace {
            guard link(pending, as: pending.name) else {
                throw errno == EEXIST ? Self.exists(pending.path) : refusal(pending.path, errno)
            }
            return place(of: pending)
        }
        if pending.temporaryName == nil {
            let temporary = Self.temporaryName
            guard link(pending, as: temporary) else { throw refusal(pending.path, errno) }
            pending.temporaryName = temporary
        }
        guard let temporary = pending.temporaryName, renameat(directory, temporary, directory, pending.name) == 0 else {
            throw refusal(pending.path, errno)
        }
        pending.temporaryName = nil
        return place(of: pending)
    }

    private func place(of pending: borrowing Pending) -> String {
        guard let file = FileIdentity(descriptor: pending.file.rawValue) else { return "" }
        if FileIdentity(path: pending.path) == file { return pending.path }
        guard let real = try? realPath(pending.directory, pending.path, name: pending.name),
            real.utf8.count <= Frame.maximumPath, FileIdentity(path: real) == file
        else { return "" }
        return real
    }

    private static var temporaryName: String { ".claude-ssh-\(UInt64.random(in: .min ... .max)).part" }

    private func link(_ pending: borrowing Pending, as name: String) -> Bool {
        linkat(
            AT_FDCWD, "/proc/self/fd/\(pending.file.rawValue)", pending.directory.rawValue, name, AT_SYMLINK_FOLLOW)
            == 0
    }

    private func checkForm(_ path: String) throws(LocalRefusal) {
        guard path.utf8.count <= Frame.maximumPath, !path.utf8.contains(0) else {
            throw LocalRefusal(
                sentence: "The local path is longer than \(Frame.maximumPath) bytes or contains a NUL.")
        }
        guard path.utf8.first == PathComponents.slash else {
            throw LocalRefusal(sentence: "The local path \"\(path)\" is not absolute. Pass an absolute path.")
        }
    }

    /// The size of a regular file.
    private func regular(_ descriptor: borrowing OwnedFD, _ path: String) throws(LocalRefusal) -> UInt64 {
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw LocalRefusal(sentence: "The local path \(path) is not a regular file. Name a regular file.")
        }
        return UInt64(status.st_size)
    }

    /// How many names the open file has.
    private func links(_ descriptor: borrowing OwnedFD) -> UInt64 {
        var status = stat()
        return fstat(descriptor.rawValue, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            ? UInt64(status.st_nlink) : 1
    }

    /// What stands at the target now: nothing, or a regular file that may be replaced.
    /// - Returns: the mode of that file.
    @discardableResult private func checkTarget(
        _ directory: borrowing OwnedFD, _ name: String, _ path: String, mayReplace: Bool
    ) throws(LocalRefusal) -> mode_t? {
        var status = stat()
        guard fstatat(directory.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT { return nil }
            throw refusal(path, errno)
        }
        guard mayReplace else { throw Self.exists(path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw LocalRefusal(
                sentence: "The local path \(path) exists and is not a regular file. Choose another path.")
        }
        return status.st_mode
    }

    private static func exists(_ path: String) -> LocalRefusal {
        LocalRefusal(
            sentence:
                "The local file \(path) exists already, and safeguards.allow_overwrite is false. Choose another path, "
                + "or ask the user to set safeguards.allow_overwrite to true.",
            rule: "allow_overwrite")
    }

    private func resolve(_ path: String, flags: UInt64, asked: String) throws(LocalRefusal) -> OwnedFD {
        let number = csd_openat2(AT_FDCWD, path, flags, UInt64(CSD_RESOLVE_NO_MAGICLINKS))
        guard number >= 0 else { throw refusal(asked, errno) }
        return OwnedFD(taking: number)
    }

    /// The path of what is open, as long as it is there: one that was removed or replaced has none.
    /// - Parameter name: of an entry of what is open, where that is a directory.
    private func realPath(
        _ descriptor: borrowing OwnedFD, _ asked: String, name: String? = nil
    ) throws(LocalRefusal) -> String {
        var buffer = [UInt8](repeating: 0, count: Frame.maximumPath + 1)
        let count = readlink("/proc/self/fd/\(descriptor.rawValue)", &buffer, buffer.count)
        guard count > 0, count < buffer.count, let path = String(validating: buffer[..<count], as: UTF8.self),
            let identity = FileIdentity(path: path), identity == FileIdentity(descriptor: descriptor.rawValue)
        else {
            throw LocalRefusal(
                sentence: "The local path \(asked) cannot be used: its real path cannot be told, because it is too "
                    + "long, no UTF-8, or just being replaced. Try again, or use another path.")
        }
        guard let name else { return path }
        return path == "/" ? "/\(name)" : "\(path)/\(name)"
    }

    private func refusal(_ path: String, _ code: Int32) -> LocalRefusal {
        let advice =
            switch code {
            case ENOENT: "Check that it, or for a download its directory, exists."
            case EACCES, EPERM, EROFS: "Use a path that the user may use, or ask the user to change that."
            case ENOSPC, EDQUOT: "Free space there or use another path."
            case EAGAIN: "Another process holds it; try again."
            default: "Use another path."
            }
        return LocalRefusal(
            sentence: "The local path \(path) cannot be used: \(String(cString: strerror(code))). \(advice)")
    }
}
