internal import IPC

/// Reads keys that restrict something, if leaving the key out means no restriction.
///
/// With `null`, an empty text or the root directory such a key is there and restricts nothing, so that something is open which
/// its writer believes closed. So each of these values is a mistake. The config of version 2.1 documents two of them as "not
/// restricted" (`base_dir: ""` and `exec_allowlist: null`). These mean what they say there, with a warning.
///
/// If leaving a key out closes something (`capabilities` at the top, `safeguards`, `sandbox`, `limits`), `null` opens nothing.
/// It is a mistake all the same, because its writer wanted to set something, see `ConfigReader.restrictions`.
struct Restrictions {
    /// A value that restricts nothing.
    enum Empty: String {
        /// `null`.
        case null
        /// An empty text.
        case text = "\"\""
    }

    /// A key that restricts something.
    struct Key {
        let name: String
        /// What is allowed without the key, as the rest of a sentence.
        let open: String
        /// What to write instead, as a sentence.
        let instead: String
        /// The value that version 2.1 documents as "not restricted".
        var documented: Empty?
    }

    static let baseDirectory = Key(
        name: "base_dir", open: "files may lie anywhere", instead: "Name a directory", documented: .text)
    static let execAllowlist = Key(
        name: "exec_allowlist", open: "every command is allowed", instead: "Name the commands ([] allows none)",
        documented: .null)
    static let forwardAllowlist = Key(
        name: "forward_allowlist", open: "forwards may lead anywhere", instead: "Name the targets ([] allows none)")
    static let fileTransport = Key(
        name: "file_transport", open: "files are reached over SFTP, or over a shell where any command may run",
        instead: "Write \"sftp\" or \"shell\"")
    static let localRoots = Key(
        name: "local_roots", open: "it leaves open what it is to close",
        instead: "Name the directories ([] allows none)")
    static let auditLog = Key(name: "audit_log", open: "no call is written down", instead: "Name the file")
    static let capabilities = Key(
        name: "capabilities", open: "the host has all that hosts have", instead: "Name what is off, with false")

    /// A capability of one host.
    static func capability(_ name: String) -> Key {
        Key(name: name, open: "the host has it where hosts have it", instead: "Write true or false")
    }

    private let reader: ConfigReader

    init(_ reader: ConfigReader) {
        self.reader = reader
    }

    /// Whether the key is there with a value that restricts. A value that restricts nothing is noted.
    func has(_ key: Key) -> Bool {
        let empty: Empty
        if reader.isNull(key.name) {
            empty = .null
        } else if reader.isEmptyText(key.name) {
            empty = .text
        } else {
            return reader.has(key.name)
        }
        if empty == key.documented {
            reader.warn(
                key.name, "\(empty.rawValue) restricts nothing: \(key.open). \(key.instead), or remove the key")
        } else {
            reader.note(
                key.name, "\(empty.rawValue) restricts nothing: \(key.open). \(key.instead), or remove the key")
        }
        return false
    }

    /// A list of texts; nil if the key restricts nothing.
    func strings(_ key: Key) -> [String]? { has(key) ? reader.strings(key.name) : nil }

    /// An object; nil if the key restricts nothing.
    func object(_ key: Key) -> ConfigReader? { has(key) ? reader.object(key.name) : nil }

    /// A path on this machine.
    func path(_ key: Key, _ expand: PathExpansion) -> String? { has(key) ? expand.path(reader, key.name) : nil }

    /// A directory on a host.
    func remoteDirectory(_ key: Key) -> String? {
        guard has(key), let directory = reader.string(key.name) else { return nil }
        if !directory.hasPrefix("/") || directory.utf8.contains(0) {
            reader.note(key.name, "must be absolute, got \"\(directory)\"")
        } else {
            refuseRoot(directory, written: directory, key, at: key.name)
        }
        return directory
    }

    /// Trees on this machine.
    func trees(_ key: Key, _ expand: PathExpansion) -> [String]? {
        guard let written = strings(key) else { return nil }
        return written.enumerated().compactMap { index, text in
            let place = "\(key.name)[\(index)]"
            guard let path = expand.expanded(text, reader, place) else { return nil }
            refuseRoot(path, written: text, key, at: place)
            return path
        }
    }

    /// Notes a path that is the root directory by its text, or a link of /proc that may lead there. `RootDirectory` and the file
    /// broker look at what is really there.
    private func refuseRoot(_ path: String, written: String, _ key: Key, at place: String) {
        let plain = PathComponents.withoutParents(path)
        if plain.isEmpty {
            reader.note(
                place, "restricts nothing: \"\(written)\" is the root directory. \(key.instead), or remove the key")
        } else if RootDirectory.isOfProcess(plain) || RootDirectory.isOfProcess(PathComponents.of(path)) {
            reader.note(
                place,
                "restricts nothing: \"\(written)\" leads to whatever directory a process has. \(key.instead), "
                    + "or remove the key")
        }
    }
}
