/// Keeps the first and the last bytes of a stream within a limit, and counts all of its bytes.
struct OutputWindow {
    private static let longestLine = 400

    private let headLimit: Int
    private let tailLimit: Int
    private var head: [UInt8] = []
    /// The newest bytes. It is cut back to `tailLimit` only when it has grown to twice that, so that each byte is moved at most
    /// once.
    private var tail: [UInt8] = []
    private(set) var total = 0

    init(limit: Int) {
        headLimit = limit - limit / 2
        tailLimit = limit / 2
    }

    mutating func append(_ bytes: some Collection<UInt8>) {
        total += bytes.count
        let room = headLimit - head.count
        if room > 0 { head.append(contentsOf: bytes.prefix(room)) }
        let rest = bytes.dropFirst(max(0, room))
        guard !rest.isEmpty else { return }
        tail.append(contentsOf: rest.suffix(tailLimit))
        if tail.count > 2 * tailLimit { tail.removeFirst(tail.count - tailLimit) }
    }

    /// The last line that is not blank, at most 400 bytes of it, without control characters.
    var lastLine: String {
        let end = tail.isEmpty ? head.suffix(Self.longestLine) : tail.suffix(Self.longestLine)
        let lines = end.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
        guard let line = lines.last(where: { line in line.contains { $0 > 0x20 } }) else { return "" }
        // The bytes may begin inside a character.
        let text = String(decoding: Self.withoutPartialStart(line), as: UTF8.self)
        return String(
            String.UnicodeScalarView(text.unicodeScalars.filter { $0.properties.generalCategory != .control }))
    }

    /// What was kept, with a line between head and tail that says how much was left out.
    func output() -> ExecOutput.Stream {
        let kept = tail.suffix(tailLimit)
        let omitted = total - head.count - kept.count
        guard omitted > 0 else {
            let (text, lossy) = Self.text(head + kept)
            return ExecOutput.Stream(text: text, bytes: total, truncated: false, lossy: lossy)
        }
        // Half a character would become a replacement character, which the stream does not have.
        let start = Self.withoutPartialEnd(head[...])
        let end = Self.withoutPartialStart(kept)
        let left = total - start.count - end.count
        let (beginning, isLossy) = Self.text(start)
        let (rest, isLossyToo) = Self.text(end)
        return ExecOutput.Stream(
            text: "\(beginning)\n[… \(left) bytes left out …]\n\(rest)", bytes: total, truncated: true,
            lossy: isLossy || isLossyToo)
    }

    private static func text(_ bytes: some Collection<UInt8>) -> (text: String, lossy: Bool) {
        if let text = String(validating: bytes, as: UTF8.self) { return (text, false) }
        return (String(decoding: bytes, as: UTF8.self), true)
    }

    private static func withoutPartialStart(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let continuation = bytes.prefix(3).prefix { $0 & 0xC0 == 0x80 }
        return bytes.dropFirst(continuation.count)
    }

    private static func withoutPartialEnd(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        for length in 1...3 where bytes.count >= length {
            let byte = bytes[bytes.endIndex - length]
            if byte & 0xC0 == 0x80 { continue }
            let needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return needed > length ? bytes.dropLast(length) : bytes
        }
        return bytes
    }
}
