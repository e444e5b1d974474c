internal import Glibc
internal import IPC

/// A path on the user's machine that no agent should read or write: it has credentials, or files that something runs by itself.
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

    /// Directories in which the system and its services keep programs, libraries and files that they start by themselves.
    private static let ofSystem = [
        "/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/nix", "/opt", "/run/systemd", "/run/user", "/sbin",
        "/snap", "/usr", "/var/lib", "/var/spool",
    ]

    /// The path as the user writes it.
    let text: String
    /// The same path, and its real path.
    let names: [String]
    /// Whether it is a hidden link. Then the file to which it leads is closed under its plain name as well.
    let isHiddenLink: Bool

    init(text: String, real: String? = nil, isHiddenLink: Bool = false) {
        self.text = text
        self.isHiddenLink = isHiddenLink
        names = [text] + (real.map { [$0] } ?? [])
    }

    /// The path as written, and with its directory resolved: a link on the way gives it another name. Nothing need lie there
    /// yet.
    init(resolving text: String) { self.init(text: text, real: RealPath.ofDirectory(of: text)) }

    /// The directories in a home that an environment variable may put elsewhere, XDG Base Directory Specification.
    private static let movable = [(".config/", "XDG_CONFIG_HOME"), (".local/share/", "XDG_DATA_HOME")]

    /// The paths that are always protected, unless a root names them.
    static func always(home: String?, runtimeDirectory: String?, environment: [String: String]) -> [ProtectedPath] {
        // The user's service manager would start units from there.
        let fixed = (anywhere + (runtimeDirectory.map { ["\($0)/systemd"] } ?? [])).map { ProtectedPath(text: $0) }
        guard let home else { return fixed }
        let moved = movable.flatMap { place, variable -> [ProtectedPath] in
            guard let directory = environment[variable], directory.hasPrefix("/") else { return [] }
            return inHome.filter { $0.hasPrefix(place) }
                .map { ProtectedPath(resolving: "\(directory)/\($0.dropFirst(place.count))") }
        }
        // A directory on the way may be a link as well, such as a ~/.config that is kept elsewhere.
        var real: [String: String] = [:]
        return fixed + moved
            + inHome.map { name in
                let text = "\(home)/\(name)"
                let (directory, last) = PathComponents.split(text)
                let there = real[directory] ?? RealPath.of(directory)
                real[directory] = there
                return ProtectedPath(text: text, real: "\(there)/\(last)")
            }
    }

    /// The paths that are closed as well while the user has not set `local_roots`: programs are started or loaded from there.
    static func withoutRoots(home: String?, environment: [String: String]) -> [ProtectedPath] {
        let lists = ["PATH", "XDG_DATA_DIRS", "XDG_CONFIG_DIRS"].flatMap { name in
            (environment[name] ?? "").split(separator: ":").map(String.init)
        }
        let single = ["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"]
            .compactMap { environment[$0] }
        let named = (lists + single).filter { $0.hasPrefix("/") && !PathComponents.of($0).isEmpty }
        return (ofSystem + named + (home.map { ["\($0)/bin"] } ?? [])).map { ProtectedPath(resolving: $0) }
            + (home.map { hiddenLinks(of: $0) } ?? [])
    }

    /// How many links in a home directory are looked at.
    private static let maximumLinks = 1000

    /// Why this path and those inside it are closed, as the rest of a sentence about such a path.
    var why: String {
        isHiddenLink
            ? "the hidden link \(text) leads to it or to a directory above it, and what has a hidden name may hold secrets or be run by itself"
            : "it is or lies in \(text), which may hold secrets or is run by itself"
    }

    /// The paths to which hidden links in a home directory lead. A dotfile that is kept elsewhere has a plain name there. A directory
    /// counts too: the plugins of a shell or an editor are run from there, and nothing tells such a directory from one that was
    /// only linked for convenience.
    private static func hiddenLinks(of home: String) -> [ProtectedPath] {
        let own = RealPath.of(home)
        var found: [ProtectedPath] = []
        for (folder, isHidden) in [(home, false), ("\(home)/.config", true), ("\(home)/.local/share", true)] {
            guard let directory = opendir(folder) else { continue }
            defer { closedir(directory) }
            while found.count < maximumLinks, let entry = readdir(directory) {
                guard entry.pointee.d_type == UInt8(DT_LNK) || entry.pointee.d_type == UInt8(DT_UNKNOWN) else {
                    continue
                }
                let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                guard isHidden || name.hasPrefix("."), name != ".", name != ".." else { continue }
                let text = "\(folder)/\(name)"
                let real = RealPath.of(text)
                // A link that leads to the home directory itself, or above it, would close all of it.
                if !PathComponents.isInside(own, real) {
                    found.append(ProtectedPath(text: text, real: real, isHiddenLink: true))
                }
            }
        }
        return found
    }
}
