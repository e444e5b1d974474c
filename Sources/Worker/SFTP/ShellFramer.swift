internal import Glibc

/// Cuts what the shell prints into answers. Each stands between two lines that have the nonce and its number; the
/// second also has its status. Other programs printed what stands elsewhere, and it is dropped.
struct ShellFramer {
    /// Bytes of the longest answer: the longest part of a file that is asked for, and the rest of the blocks that it
    /// touches.
    static let longestAnswer = 1 << 20

    private let mark: [UInt8]
    private var kept: [UInt8] = []
    private var searched = 0

    init(nonce: String) {
        mark = Array("\n\(nonce) ".utf8)
    }

    /// The beginning of what has come and is no answer yet, at most 500 bytes.
    var text: ArraySlice<UInt8> { kept.prefix(500) }

    mutating func append(_ bytes: ArraySlice<UInt8>) { kept += bytes }

    /// Takes the next whole answer; nil if more must come first.
    mutating func next() throws(Malformed) -> ShellAnswer? {
        while let (found, end) = try nextMark() {
            defer { drop(upTo: end) }
            if let answer = found { return answer }
        }
        return nil
    }

    /// The next mark: the answer that it ends, nil if it begins one, and the index after the mark. nil if more must
    /// come first.
    private mutating func nextMark() throws(Malformed) -> (answer: ShellAnswer?, end: Int)? {
        guard let start = findMark() else {
            guard kept.count <= Self.longestAnswer else { throw Malformed("an answer without end") }
            return nil
        }
        let line = kept[(start + mark.count)...].prefix(40)
        guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else {
            guard line.count < 40 else { throw Malformed("an answer that ends badly") }
            return nil
        }
        let words = String(decoding: line[..<end], as: UTF8.self).split(separator: " ")
        guard words.count == 2, let number = Int(words[0]) else { throw Malformed("an answer that ends badly") }
        if words[1] == "<" { return (nil, end + 1) }
        var status: SFTPStatus?
        if words[1] != "+" {
            guard let code = UInt32(words[1]) else { throw Malformed("an answer that ends badly") }
            status = SFTPStatus(code: code)
        }
        return (ShellAnswer(number: number, status: status, payload: kept[..<start]), end + 1)
    }

    private mutating func drop(upTo end: Int) {
        kept = Array(kept[end...])
        searched = 0
    }

    /// The index at which the next mark begins. Bytes that were searched are not searched again.
    private mutating func findMark() -> Int? {
        let found = kept.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress else { return nil }
            var from = searched
            while bytes.count - from >= mark.count,
                let feed = memchr(base + from, 0x0A, bytes.count - from - mark.count + 1)
            {
                from = base.distance(to: UnsafeRawPointer(feed))
                if memcmp(base + from, mark, mark.count) == 0 { return from }
                from += 1
            }
            return nil
        }
        searched = found ?? max(searched, kept.count - mark.count + 1)
        return found
    }
}
