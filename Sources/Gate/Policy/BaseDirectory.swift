public import IPC

/// A host's `base_dir`: paths must lie in this tree. They are judged by their text, symlinks not followed.
public struct BaseDirectory: Sendable {
    private let root: [[UInt8]]?
    private let text: String
    private let host: String

    /// `directory` nil confines nothing.
    public init(_ directory: String?, host: String) {
        root = directory.map { Self.components($0.utf8) }
        text = directory ?? ""
        self.host = host
    }

    /// Throws if the working directory of a command is missing or outside the tree.
    public func judge(workingDirectory: String) throws(GateRefusal) {
        guard root != nil else { return }
        guard !workingDirectory.isEmpty else {
            throw GateRefusal(host: host, .noDirectory(base: text))
        }
        try judge(path: workingDirectory)
    }

    /// Throws if the path is not absolute or is outside the tree.
    public func judge(path: String) throws(GateRefusal) { try judge(path: Array(path.utf8)) }

    /// The same for a path that need not be UTF-8.
    public func judge(path: [UInt8]) throws(GateRefusal) {
        guard let root else { return }
        guard path.first == UInt8(ascii: "/"), Self.components(path).starts(with: root) else {
            let shown = String(decoding: path, as: UTF8.self).prefix(GateRefusal.shown)
            throw GateRefusal(host: host, .outside(base: text, path: String(shown)))
        }
    }

    /// The components of the path after `.` and `..` are resolved by the text alone. They are bytes, as the kernel
    /// compares them: for Swift's strings a slash with a combining mark after it is no slash, and names in different
    /// Unicode normal forms are equal.
    private static func components(_ path: some Collection<UInt8>) -> [[UInt8]] {
        var kept: [[UInt8]] = []
        for component in path.split(separator: UInt8(ascii: "/")) {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                _ = kept.popLast()
            } else {
                kept.append(Array(component))
            }
        }
        return kept
    }
}
