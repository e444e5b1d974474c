/// Paths by their components, which are bytes.
package enum PathComponents {
    package static let slash = UInt8(ascii: "/")
    private static let here: [UInt8] = [UInt8(ascii: ".")]
    package static let parent: [UInt8] = Array("..".utf8)

    package static func of(_ path: String) -> [[UInt8]] {
        path.utf8.split(separator: slash).map(Array.init).filter { $0 != here }
    }

    /// Whether `path` is `directory` or lies in it, by the text. `..` is judged by the kernel.
    package static func isInside(_ path: String, _ directory: String) -> Bool { of(path).starts(with: of(directory)) }

    /// The components with each `..` taken together with the one before it, by the text.
    package static func withoutParents(_ path: String) -> [[UInt8]] {
        var plain: [[UInt8]] = []
        for component in of(path) {
            if component == parent { _ = plain.popLast() } else { plain.append(component) }
        }
        return plain
    }

    /// The directory and the name of an absolute path; the name is empty where it ends in a slash.
    package static func split(_ path: String) -> (directory: String, name: String) {
        let end = path.utf8.lastIndex(of: slash) ?? path.utf8.startIndex
        let directory = String(decoding: path.utf8[..<end], as: UTF8.self)
        return (directory.isEmpty ? "/" : directory, String(decoding: path.utf8[end...].dropFirst(), as: UTF8.self))
    }

    /// An absolute path and all above it, without the root.
    package static func prefixes(_ path: String) -> [String] {
        var text = ""
        return of(path).map { component in
            text += "/" + String(decoding: component, as: UTF8.self)
            return text
        }
    }
}
