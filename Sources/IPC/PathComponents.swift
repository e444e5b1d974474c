/// Works on the components of paths, which are bytes.
package enum PathComponents {
    package static let slash = UInt8(ascii: "/")
    private static let here: [UInt8] = [UInt8(ascii: ".")]
    package static let parent: [UInt8] = Array("..".utf8)

    package static func of(_ path: String) -> [[UInt8]] {
        path.utf8.split(separator: slash).map(Array.init).filter { $0 != here }
    }

    /// Whether `path` is `directory` or is inside it, by the text alone. `..` is not resolved.
    package static func isInside(_ path: String, _ directory: String) -> Bool {
        var (path, directory) = (path, directory)
        return path.withUTF8 { path in
            directory.withUTF8 { directory in
                var (inPath, inDirectory) = (path[...], directory[...])
                while let wanted = next(&inDirectory) {
                    guard let found = next(&inPath), found.elementsEqual(wanted) else { return false }
                }
                return true
            }
        }
    }

    /// Takes the first component; nil if there is none.
    private static func next(_ rest: inout Slice<UnsafeBufferPointer<UInt8>>) -> Slice<UnsafeBufferPointer<UInt8>>? {
        while true {
            while rest.first == slash { rest.removeFirst() }
            guard !rest.isEmpty else { return nil }
            let end = rest.firstIndex(of: slash) ?? rest.endIndex
            let component = rest[..<end]
            rest = rest[end...]
            if !component.elementsEqual(here) { return component }
        }
    }

    /// Whether two absolute paths name entries of the same directory, by the text alone.
    package static func areNeighbours(_ path: String, _ other: String) -> Bool {
        var (path, other) = (path, other)
        return path.withUTF8 { path in
            other.withUTF8 { other in
                var end = other.count
                while end > 0, other[end - 1] != slash { end -= 1 }
                guard path.count >= end else { return false }
                var index = 0
                while index < end, path[index] == other[index] { index += 1 }
                guard index == end else { return false }
                while index < path.count, path[index] != slash { index += 1 }
                return index == path.count
            }
        }
    }

    /// The components of a path, in which each `..` has removed the component before it, by the text alone.
    package static func withoutParents(_ path: String) -> [[UInt8]] {
        var plain: [[UInt8]] = []
        for component in of(path) {
            if component == parent { _ = plain.popLast() } else { plain.append(component) }
        }
        return plain
    }

    /// The directory and the name of an absolute path. The name is empty if the path ends in a slash.
    package static func split(_ path: String) -> (directory: String, name: String) {
        let end = path.utf8.lastIndex(of: slash) ?? path.utf8.startIndex
        let directory = String(decoding: path.utf8[..<end], as: UTF8.self)
        return (directory.isEmpty ? "/" : directory, String(decoding: path.utf8[end...].dropFirst(), as: UTF8.self))
    }

    /// An absolute path and all directories above it, without the root.
    package static func prefixes(_ path: String) -> [String] {
        var text = ""
        return of(path).map { component in
            text += "/" + String(decoding: component, as: UTF8.self)
            return text
        }
    }
}
