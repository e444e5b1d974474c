/// A host's `base_dir`: paths must lie in this tree, judged by their text.
public struct BaseDirectory: Sendable {
    private let root: [Substring]?
    private let text: String
    private let host: String

    /// nil confines nothing.
    public init(_ directory: String?, host: String) {
        root = directory.map { Self.components($0) }
        text = directory ?? ""
        self.host = host
    }

    /// Throws where a command's working directory is missing or outside.
    public func judge(workingDirectory: String) throws(Refusal) {
        guard let root else { return }
        let key = "hosts.\(host).base_dir is \"\(text)\""
        guard !workingDirectory.isEmpty else {
            throw Refusal(description: "\(key): pass \"cwd\", a directory in that tree.")
        }
        guard workingDirectory.hasPrefix("/"), Self.components(workingDirectory).starts(with: root) else {
            throw Refusal(
                description: "\(key), and \"\(workingDirectory.prefix(200))\" is not in it. "
                    + "Pass an absolute path in that tree.")
        }
    }

    /// The components that remain after `.` and `..` are worked off.
    private static func components(_ path: String) -> [Substring] {
        var kept: [Substring] = []
        for component in path.split(separator: "/") {
            switch component {
            case ".": continue
            case "..": _ = kept.popLast()
            default: kept.append(component)
            }
        }
        return kept
    }
}
