internal import Glibc

/// How the lines of a file end, and the texts of edits with the same ends. A model sees lines, and does not see how they end.
enum LineEndings: String {
    /// There is one line, without an end.
    case none
    case lf
    case crlf
    case mixed

    private static let feed = UInt8(ascii: "\n")
    private static let carriage = UInt8(ascii: "\r")
    /// What some editors put in front of a file in UTF-8.
    static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    init(of text: [UInt8]) {
        let (feeds, pairs) = Self.counts(text)
        switch (feeds - pairs, pairs) {
        case (0, 0): self = .none
        case (_, 0): self = .lf
        case (0, _): self = .crlf
        default: self = .mixed
        }
    }

    /// An edit as it may be looked for in a file, the first way first: each with what takes its place.
    ///
    /// An edit that changes nothing but ends of lines is taken as it stands.
    func ways(_ old: [UInt8], _ new: [UInt8], in text: [UInt8]) -> [(old: [UInt8], new: [UInt8])] {
        let (old, new) = Self.keepingMark(old, new, in: text)
        let plain = Self.inFeeds(old)
        if plain == Self.inFeeds(new), old != new { return [(old, new)] }
        switch self {
        case .none: return [(old, new)]
        case .lf: return [(plain, Self.inFeeds(new))]
        case .crlf: return [(Self.inPairs(old), Self.inPairs(new))]
        case .mixed:
            let (feeds, pairs) = Self.counts(old)
            guard feeds > 0 else {
                let ofText = Self.counts(text)
                return [(old, ofText.pairs * 2 > ofText.feeds ? Self.inPairs(new) : Self.inFeeds(new))]
            }
            let exact = (old, pairs > 0 ? Self.inPairs(new) : Self.inFeeds(new))
            let others = [(Self.inPairs(old), Self.inPairs(new)), (plain, Self.inFeeds(new))]
            return [exact] + others.filter { $0.0 != old }
        }
    }

    /// The text without the end of its last line; nil if it has none.
    static func withoutLastEnd(_ text: [UInt8]) -> [UInt8]? {
        guard text.last == feed else { return nil }
        return Array(text.dropLast(text.dropLast().last == carriage ? 2 : 1))
    }

    /// A byte order mark stays in front of its file, whether the texts of an edit have it or not. To remove it, it must be all of the
    /// old text.
    private static func keepingMark(
        _ old: [UInt8], _ new: [UInt8], in text: [UInt8]
    ) -> (old: [UInt8], new: [UInt8]) {
        guard text.starts(with: mark), old != mark else { return (old, new) }
        switch (old.starts(with: mark), new.starts(with: mark)) {
        case (true, false): return (old, mark + new)
        case (false, true): return (old, Array(new.dropFirst(mark.count)))
        case (true, true), (false, false): return (old, new)
        }
    }

    /// How many line feeds a text has, and how many of them follow a carriage return.
    private static func counts(_ text: [UInt8]) -> (feeds: Int, pairs: Int) {
        text.withUnsafeBytes { text in
            var (feeds, pairs, index) = (0, 0, 0)
            while index < text.count, let base = text.baseAddress,
                let found = memchr(base + index, Int32(feed), text.count - index)
            {
                let place = base.distance(to: UnsafeRawPointer(found))
                feeds += 1
                if place > 0, text[place - 1] == carriage { pairs += 1 }
                index = place + 1
            }
            return (feeds, pairs)
        }
    }

    private static func inFeeds(_ text: [UInt8]) -> [UInt8] {
        guard counts(text).pairs > 0 else { return text }
        var plain: [UInt8] = []
        plain.reserveCapacity(text.count)
        for (index, byte) in text.enumerated() {
            if byte == carriage, index + 1 < text.count, text[index + 1] == feed { continue }
            plain.append(byte)
        }
        return plain
    }

    private static func inPairs(_ text: [UInt8]) -> [UInt8] {
        let (feeds, pairs) = counts(text)
        guard feeds > pairs else { return text }
        var paired: [UInt8] = []
        paired.reserveCapacity(text.count + feeds)
        var last: UInt8?
        for byte in text {
            if byte == feed, last != carriage { paired.append(carriage) }
            paired.append(byte)
            last = byte
        }
        return paired
    }
}
