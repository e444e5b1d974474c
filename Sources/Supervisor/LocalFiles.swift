internal import CLinux
internal import Glibc
internal import IPC

/// Why a local file is not opened, as a sentence for the model.
struct LocalRefusal: Error, Equatable {
    let sentence: String
    /// The rule that refuses; empty where something failed.
    var rule = ""
}

/// Opens local files for workers, which have no file system: the source of an upload, the target of a download.
///
/// A path is resolved once, by the kernel, to a descriptor; everything is judged on that descriptor, so that no symlink
/// and no rename in between can lead elsewhere.
struct LocalFiles {
    /// A new file that has no name yet, or a temporary one where the file system knows no unnamed files.
    struct Pending: ~Copyable {
        let file: OwnedFD
        let directory: OwnedFD
        let name: String
        var temporaryName: String?

        deinit {
            if let temporaryName { unlinkat(directory.rawValue, temporaryName, 0) }
        }
    }

    /// New files that one worker may have under way.
    static let maximumPending = 16
    private static let maximumPath = 4096

    private let roots: [String]?
    /// Without symlinks, as the paths that it is compared with.
    private let home: String?
    private let allowOverwrite: Bool
    private let own: [String]

    /// - Parameters:
    ///   - roots: absolute directories or files; nil leaves all but the protected paths open.
    ///   - own: files of this daemon, without symlinks. They are out of reach whatever `roots` says, and so is what lies
    ///     beside them under a longer name: rotated logs, backups.
    init(roots: [String]?, home: String?, allowOverwrite: Bool, own: [String] = []) {
        self.roots = roots
        self.own = own
        self.home = home.map(RealPath.of)
        self.allowOverwrite = allowOverwrite
    }

    /// Opens a regular file for reading.
    func open(_ path: String) throws(LocalRefusal) -> (file: Int32, size: UInt64) {
        let found = try resolve(path, flags: UInt64(CSD_O_PATH | O_CLOEXEC))
        try judge(real: realPath(found), asked: path)
        var status = stat()
        guard fstat(found.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw LocalRefusal(sentence: "The local path \(path) is not a regular file. Name a regular file.")
        }
        let file = Glibc.open("/proc/self/fd/\(found.rawValue)", O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard file >= 0 else { throw refusal(path, errno) }
        return (file, UInt64(status.st_size))
    }

    /// Makes a file of mode 0600 in the directory of `path`, without the name.
    func create(_ path: String) throws(LocalRefusal) -> Pending {
        guard let slash = path.lastIndex(of: "/"), path.hasPrefix("/") else { throw absolute(path) }
        let name = String(path[path.index(after: slash)...])
        guard !name.isEmpty, name != ".", name != ".." else {
            throw LocalRefusal(sentence: "The local path \(path) names a directory. Name the file to write.")
        }
        let parent = slash == path.startIndex ? "/" : String(path[..<slash])
        let directory = try resolve(parent, flags: UInt64(CSD_O_PATH | O_DIRECTORY | O_CLOEXEC), asked: path)
        let realParent = realPath(directory)
        try judge(real: realParent == "/" ? "/\(name)" : "\(realParent)/\(name)", asked: path)
        try checkTarget(directory, name, path)
        let here = "/proc/self/fd/\(directory.rawValue)"
        let unnamed = Glibc.open(here, CSD_O_TMPFILE | O_WRONLY | O_CLOEXEC, 0o600)
        if unnamed >= 0 {
            return Pending(file: OwnedFD(taking: unnamed), directory: directory, name: name, temporaryName: nil)
        }
        // NFS and some others have no unnamed files.
        guard errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT else { throw refusal(path, errno) }
        let temporary = ".claude-ssh-\(UInt64.random(in: .min ... .max)).part"
        let named = openat(
            directory.rawValue, temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0o600)
        guard named >= 0 else { throw refusal(path, errno) }
        return Pending(file: OwnedFD(taking: named), directory: directory, name: name, temporaryName: temporary)
    }

    /// Gives the file its name; an existing file is replaced only where that is allowed, and then in one step.
    func commit(_ pending: consuming Pending) throws(LocalRefusal) {
        try checkTarget(pending.directory, pending.name, pending.name)
        let directory = pending.directory.rawValue
        if !allowOverwrite {
            guard link(pending, as: pending.name) else {
                throw errno == EEXIST ? Self.exists(pending.name) : refusal(pending.name, errno)
            }
            return
        }
        if pending.temporaryName == nil {
            let temporary = ".claude-ssh-\(UInt64.random(in: .min ... .max)).part"
            guard link(pending, as: temporary) else { throw refusal(pending.name, errno) }
            pending.temporaryName = temporary
        }
        guard let temporary = pending.temporaryName, renameat(directory, temporary, directory, pending.name) == 0 else {
            throw refusal(pending.name, errno)
        }
        pending.temporaryName = nil
    }

    private func link(_ pending: borrowing Pending, as name: String) -> Bool {
        linkat(
            AT_FDCWD, "/proc/self/fd/\(pending.file.rawValue)", pending.directory.rawValue, name, AT_SYMLINK_FOLLOW)
            == 0
    }

    /// What stands at the target now: nothing, or a regular file that may be replaced.
    private func checkTarget(_ directory: borrowing OwnedFD, _ name: String, _ path: String) throws(LocalRefusal) {
        var status = stat()
        guard fstatat(directory.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT { return }
            throw refusal(path, errno)
        }
        guard allowOverwrite else { throw Self.exists(path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw LocalRefusal(
                sentence: "The local path \(path) exists and is not a regular file. Choose another path.")
        }
    }

    private static func exists(_ path: String) -> LocalRefusal {
        LocalRefusal(
            sentence:
                "The local file \(path) exists already, and safeguards.allow_overwrite is false. Choose another path.",
            rule: "allow_overwrite")
    }

    private func resolve(_ path: String, flags: UInt64, asked: String? = nil) throws(LocalRefusal) -> OwnedFD {
        let asked = asked ?? path
        guard path.hasPrefix("/") else { throw absolute(asked) }
        guard path.utf8.count < Self.maximumPath, !path.utf8.contains(0) else {
            throw LocalRefusal(
                sentence: "The local path is longer than \(Self.maximumPath - 1) bytes or contains a NUL.")
        }
        guard let roots else {
            let number = csd_openat2(AT_FDCWD, path, flags, UInt64(CSD_RESOLVE_NO_MAGICLINKS))
            guard number >= 0 else { throw refusal(asked, errno) }
            return OwnedFD(taking: number)
        }
        guard let root = roots.first(where: { PathComponents.isInside(path, $0) }) else { throw outside(asked, roots) }
        let top = Glibc.open(root, CSD_O_PATH | O_CLOEXEC)
        guard top >= 0 else { throw refusal(root, errno) }
        let rootDescriptor = OwnedFD(taking: top)
        // A root may be a file itself.
        let rest = PathComponents.of(path).dropFirst(PathComponents.of(root).count).joined(separator: "/")
        if rest.isEmpty { return rootDescriptor }
        let number = csd_openat2(
            rootDescriptor.rawValue, rest, flags, UInt64(CSD_RESOLVE_BENEATH | CSD_RESOLVE_NO_MAGICLINKS))
        guard number >= 0 else { throw errno == EXDEV ? outside(asked, roots) : refusal(asked, errno) }
        return OwnedFD(taking: number)
    }

    /// Refuses what is protected, unless a root names the protected path itself.
    private func judge(real: String, asked: String) throws(LocalRefusal) {
        for path in own where real.utf8.starts(with: path.utf8) {
            throw LocalRefusal(
                sentence:
                    "The local path \(asked) is the daemon's own (its config or its audit log). Use another path.",
                rule: "local_roots")
        }
        for protected in ProtectedPaths.all(home: home) where PathComponents.isInside(real, protected) {
            if roots?.contains(where: { PathComponents.of($0) == PathComponents.of(protected) }) == true { continue }
            throw LocalRefusal(
                sentence:
                    "The local path \(asked) is protected (\(protected)): it may hold secrets or is run by itself. "
                    + "Use another path, or ask the user to name exactly \(protected) in local_roots.",
                rule: "local_roots")
        }
    }

    private func realPath(_ descriptor: borrowing OwnedFD) -> String {
        var buffer = [UInt8](repeating: 0, count: Self.maximumPath)
        let count = readlink("/proc/self/fd/\(descriptor.rawValue)", &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }

    private func absolute(_ path: String) -> LocalRefusal {
        LocalRefusal(sentence: "The local path \"\(path)\" is not absolute. Pass an absolute path.")
    }

    private func outside(_ path: String, _ roots: [String]) -> LocalRefusal {
        LocalRefusal(
            sentence:
                "The local path \(path) is not in local_roots. Allowed are paths in: \(roots.joined(separator: ", ")).",
            rule: "local_roots")
    }

    private func refusal(_ path: String, _ code: Int32) -> LocalRefusal {
        LocalRefusal(sentence: "The local path \(path) cannot be used: \(String(cString: strerror(code))).")
    }
}

/// A path as the kernel has it, realpath(3).
enum RealPath {
    /// Without symlinks; as it is where nothing lies there.
    static func of(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }
}

/// Paths by their components.
enum PathComponents {
    static func of(_ path: String) -> [Substring] { path.split(separator: "/").filter { $0 != "." } }

    /// Whether `path` is `directory` or lies in it, by the text. `..` is judged by the kernel.
    static func isInside(_ path: String, _ directory: String) -> Bool { of(path).starts(with: of(directory)) }
}

/// What no agent should read or write on the user's machine by accident: credentials, and what is run by itself.
enum ProtectedPaths {
    private static let inHome = [
        ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".git-credentials", ".pgpass", ".my.cnf",
        ".npmrc", ".pypirc", ".password-store", ".mozilla", ".local/share/keyrings", ".config/gcloud", ".config/gh",
        ".config/claude-ssh-daemon", ".config/systemd", ".config/autostart", ".config/fish", ".config/environment.d",
        ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv",
        ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login", ".logout", ".pam_environment",
        ".xprofile", ".xsession", ".xinitrc", ".forward", ".rhosts", ".shosts", ".gitconfig", ".config/git", ".claude",
        ".claude.json", ".vimrc", ".vim", ".config/nvim", ".emacs", ".emacs.d", ".tmux.conf", ".screenrc", ".inputrc",
        ".local/bin", ".local/share/applications", ".cargo/credentials.toml", ".cargo/config.toml", ".gradle", ".m2",
    ]
    private static let anywhere = ["/proc", "/sys", "/dev"]

    static func all(home: String?) -> [String] {
        anywhere + (home.map { home in inHome.map { "\(home)/\($0)" } } ?? [])
    }
}
