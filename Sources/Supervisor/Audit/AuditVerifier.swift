internal import Glibc
internal import IPC

/// Checks the chain through one or several files, a line at a time.
package struct AuditVerifier {
    /// A place where the chain is broken.
    package struct Break: Error, Equatable {
        /// The file, the line and what is wrong.
        package let sentence: String
    }

    /// How many lines were right.
    private(set) var lines = 0
    /// The hash of the line before, as the first line has it.
    private(set) var first: String?
    /// The hash of the last line that was right.
    private(set) var hash = AuditChain.beginning
    private let last: String?
    /// The number of the line whose hash is `last`; nil if there was none.
    private var lastAt: Int?

    /// - Parameter last: the hash that the last line must have, because it was kept elsewhere; nil for any.
    package init(last: String? = nil) {
        self.last = last?.lowercased()
    }

    /// Checks the lines of one more file.
    package mutating func read(_ path: String) throws(Break) {
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard number >= 0 else {
            throw Break(sentence: "\(path): cannot be opened: \(String(cString: strerror(errno)))")
        }
        let file = OwnedFD(taking: number)
        var chunk = [UInt8](repeating: 0, count: 65_536)
        var line: [UInt8] = []
        var position = 0
        while true {
            let count = Glibc.read(file.rawValue, &chunk, chunk.count)
            guard count >= 0 else {
                throw Break(sentence: "\(path): cannot be read: \(String(cString: strerror(errno)))")
            }
            if count == 0 { break }
            for piece in chunk[..<count].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                .enumerated()
            {
                if piece.offset > 0 {
                    position += 1
                    try take(line, "\(path), line \(position)")
                    line.removeAll(keepingCapacity: true)
                }
                line += piece.element
                guard line.count <= AuditChain.maximumLine else {
                    throw Break(sentence: "\(path), line \(position + 1): is longer than any record")
                }
            }
        }
        guard line.isEmpty else { throw Break(sentence: "\(path), line \(position + 1): its end is missing") }
    }

    /// Judges the whole. It is called when all files were read.
    package func finish() throws(Break) {
        guard let last, lastAt != lines else { return }
        guard let lastAt else {
            throw Break(sentence: "no line has the hash \(last): lines are missing at the end, after line \(lines)")
        }
        throw Break(sentence: "\(lines - lastAt) lines follow the one with the hash \(last)")
    }

    /// The result for a person, if `finish` found nothing wrong.
    package var summary: String {
        let start = first.map { $0 == AuditChain.beginning ? "" : ", continues after \($0)" } ?? ""
        return "\(lines) lines, chain intact\(start), last hash \(hash)"
    }

    private mutating func take(_ line: [UInt8], _ place: String) throws(Break) {
        guard let previous = AuditChain.previous(of: line[...]), AuditChain.isObject(line) else {
            throw Break(sentence: "\(place): is no record")
        }
        if first == nil {
            first = previous
        } else if previous != hash {
            throw Break(
                sentence: previous == AuditChain.beginning
                    ? "\(place): begins a new chain"
                    : "\(place): does not follow the line before it: a line was changed, removed, added or moved")
        }
        hash = AuditChain.hash(line[...])
        lines += 1
        if hash == last { lastAt = lines }
    }
}
