internal import Glibc

/// Expands the paths of a config: `~/` and `$XDG_RUNTIME_DIR` at the beginning, and in the path of a ControlMaster's socket also
/// the tokens of ssh_config(5).
struct PathExpansion {
    let home: String?
    let runtimeDirectory: String?
    private let machine: SocketTokens.Machine?

    /// - Parameter machine: gives the meaning of the tokens; nil for this machine.
    init(environment: [String: String], machine: SocketTokens.Machine? = nil) {
        self.machine = machine
        home =
            environment["HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
            ?? getpwuid(geteuid()).flatMap { String(validatingCString: $0.pointee.pw_dir) }
        runtimeDirectory = environment["XDG_RUNTIME_DIR"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    }

    /// The member `key` as an absolute path. If it cannot be one, that is noted.
    func path(_ reader: ConfigReader, _ key: String) -> String? {
        reader.string(key).flatMap { expanded($0, reader, key) }
    }

    /// The path of a ControlMaster's socket, which must fit a socket's address.
    func socket(
        _ written: String, to destination: SocketTokens.Destination, _ reader: ConfigReader, _ key: String
    ) -> String? {
        var text = written
        if written.utf8.contains(UInt8(ascii: "%")) {
            let tokens = SocketTokens(machine: machine ?? .current(), destination: destination)
            do throws(SocketTokens.Mistake) {
                text = try tokens.expanded(written)
            } catch {
                reader.note(key, error.sentence)
                return nil
            }
        }
        guard let path = expanded(text, reader, key) else { return nil }
        if path.contains("${") {
            reader.note(
                key, "contains \"${\", which ssh takes for a variable of its environment; write the path itself")
            return nil
        }
        let length = path.utf8.count
        if length > SocketTokens.maximumPath {
            reader.note(key, "must be at most \(SocketTokens.maximumPath) bytes long, got \(length): \(path)")
            return nil
        }
        if length > SocketTokens.maximumForMaster {
            reader.warn(
                key,
                "is \(length) bytes long; ssh -M cannot make a socket of more than "
                    + "\(SocketTokens.maximumForMaster), choose a shorter path")
        }
        return path
    }

    /// A text as an absolute path. If it cannot be one, that is noted under `key`.
    func expanded(_ text: String, _ reader: ConfigReader, _ key: String) -> String? {
        var path = text
        if text.hasPrefix("~/"), let home { path = home + text.dropFirst(1) }
        for form in ["$XDG_RUNTIME_DIR/", "${XDG_RUNTIME_DIR}/"] where text.hasPrefix(form) {
            guard let runtimeDirectory else {
                reader.note(key, "names XDG_RUNTIME_DIR, which is not set")
                return nil
            }
            path = runtimeDirectory + "/" + text.dropFirst(form.count)
        }
        guard path.hasPrefix("/"), !path.utf8.contains(0) else {
            reader.note(key, "must be an absolute path or begin with ~/ or $XDG_RUNTIME_DIR/, got \"\(text)\"")
            return nil
        }
        return path
    }
}
