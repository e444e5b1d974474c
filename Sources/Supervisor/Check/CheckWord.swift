/// What the process that does the steps of a check tells the one that started it: a line each.
package enum CheckWord: Equatable {
    /// The step of this number begins, may take so many seconds, and looks at this: the key of the config, or the config itself, and
    /// the path.
    case step(Int, patience: Int, key: String, path: String)
    /// Something was found.
    case found(String)
    /// All steps are done, and the config has so many hosts.
    case done(hosts: Int)

    /// Between the parts of a line. It stands in no part, because parts are `LogText.shown`.
    private static let separator: Character = "\t"

    /// The word as a line, without a newline.
    package var line: String {
        let parts: [String] =
            switch self {
            case .step(let number, let patience, let key, let path): ["step", "\(number)", "\(patience)", key, path]
            case .found(let text): ["found", text]
            case .done(let hosts): ["done", "\(hosts)"]
            }
        return parts.map(LogText.shown).joined(separator: String(Self.separator))
    }

    /// Reads a line; nil if it is none.
    package init?(line: String) {
        let parts = line.split(separator: Self.separator, omittingEmptySubsequences: false).map(String.init)
        switch (parts.first, parts.count) {
        case ("step", 5):
            guard let number = Int(parts[1]), let patience = Int(parts[2]) else { return nil }
            self = .step(number, patience: patience, key: parts[3], path: parts[4])
        case ("found", 2): self = .found(parts[1])
        case ("done", 2):
            guard let hosts = Int(parts[1]) else { return nil }
            self = .done(hosts: hosts)
        default: return nil
        }
    }
}
