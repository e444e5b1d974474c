internal import Glibc

/// Paths by their components, which are bytes.
enum PathComponents {
    static let slash = UInt8(ascii: "/")
    private static let here: [UInt8] = [UInt8(ascii: ".")]

    static func of(_ path: String) -> [[UInt8]] {
        path.utf8.split(separator: slash).map(Array.init).filter { $0 != here }
    }

    /// Whether `path` is `directory` or lies in it, by the text. `..` is judged by the kernel.
    static func isInside(_ path: String, _ directory: String) -> Bool { of(path).starts(with: of(directory)) }

    /// The directory and the name of an absolute path; the name is empty where it ends in a slash.
    static func split(_ path: String) -> (directory: String, name: String) {
        let end = path.utf8.lastIndex(of: slash) ?? path.utf8.startIndex
        let directory = String(decoding: path.utf8[..<end], as: UTF8.self)
        return (directory.isEmpty ? "/" : directory, String(decoding: path.utf8[end...].dropFirst(), as: UTF8.self))
    }

    /// An absolute path and all above it, without the root.
    static func prefixes(_ path: String) -> [String] {
        var text = ""
        return of(path).map { component in
            text += "/" + String(decoding: component, as: UTF8.self)
            return text
        }
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

/// Which file or directory it is, whatever its names.
struct FileIdentity: Hashable {
    private let device: dev_t
    private let inode: ino_t

    private init(_ status: stat) {
        device = status.st_dev
        inode = status.st_ino
    }

    /// Of what a path leads to; nil where there is nothing.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    init?(descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }
}

/// What no agent should read or write on the user's machine by accident: credentials, and what is run by itself.
struct ProtectedPath {
    private static let inHome = [
        ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".git-credentials", ".pgpass", ".my.cnf",
        ".npmrc", ".pypirc", ".password-store", ".mozilla", ".thunderbird", ".terraform.d", ".vault-token",
        ".local/share/keyrings", ".config/gcloud", ".config/gh", ".config/rclone", ".config/containers",
        ".config/chromium", ".config/google-chrome", ".config/claude-ssh-daemon", ".config/systemd",
        ".local/share/systemd", ".config/autostart", ".config/plasma-workspace", ".config/fish",
        ".config/environment.d", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases",
        ".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login",
        ".logout", ".pam_environment", ".xprofile", ".xsession", ".xinitrc", ".forward", ".rhosts", ".shosts",
        ".gitconfig", ".config/git", ".claude", ".claude.json", ".vimrc", ".vim", ".config/nvim", ".emacs", ".emacs.d",
        ".tmux.conf", ".screenrc", ".inputrc", ".local/bin", ".local/share/applications", ".cargo/credentials.toml",
        ".cargo/config.toml", ".gradle", ".m2",
    ]
    private static let anywhere = ["/proc", "/sys", "/dev"]

    /// As the user writes it.
    let text: String
    /// The same, and without the symlinks above it.
    let names: [String]

    init(text: String, real: String? = nil) {
        self.text = text
        names = [text] + (real.map { [$0] } ?? [])
    }

    static func all(home: String?) -> [ProtectedPath] {
        let fixed = anywhere.map { ProtectedPath(text: $0) }
        guard let home else { return fixed }
        // What lies in the way may be a link as well, as a ~/.config that is kept elsewhere.
        var real: [String: String] = [:]
        return fixed
            + inHome.map { name in
                let text = "\(home)/\(name)"
                let (directory, last) = PathComponents.split(text)
                let there = real[directory] ?? RealPath.of(directory)
                real[directory] = there
                return ProtectedPath(text: text, real: "\(there)/\(last)")
            }
    }
}
