internal import Glibc

/// Finds a text in others in linear time, whatever both consist of: Knuth, Morris and Pratt's search, which never looks at
/// a byte of the text twice, with memchr(3) where nothing of the text has matched.
struct TextSearch {
    private let needle: [UInt8]
    /// For each length of what has matched: how much of it still has when the next byte does not.
    private let fallback: [Int32]

    /// A search for `needle`, of less than 2 GiB; an empty one is nowhere. Takes four bytes of memory for each of its bytes.
    init(for needle: [UInt8]) {
        self.needle = needle
        var fallback = [Int32](repeating: 0, count: needle.count)
        var matched = 0
        for index in needle.indices.dropFirst() {
            while matched > 0, needle[index] != needle[matched] { matched = Int(fallback[matched - 1]) }
            if needle[index] == needle[matched] { matched += 1 }
            fallback[index] = Int32(matched)
        }
        self.fallback = fallback
    }

    /// Calls `found` with the place of each occurrence, from the first on; they do not overlap.
    func forEach(in text: [UInt8], _ found: (Int) -> Void) {
        guard let first = needle.first, needle.count <= text.count else { return }
        text.withUnsafeBufferPointer { text in
            needle.withUnsafeBufferPointer { needle in
                fallback.withUnsafeBufferPointer { fallback in
                    var (index, matched) = (0, 0)
                    while index < text.count {
                        if matched == 0 {
                            guard let next = Self.next(first, in: text, from: index) else { return }
                            (index, matched) = (next + 1, 1)
                        } else if text[index] == needle[matched] {
                            index += 1
                            matched += 1
                        } else {
                            matched = Int(fallback[matched - 1])
                            continue
                        }
                        if matched == needle.count {
                            found(index - needle.count)
                            matched = 0
                        }
                    }
                }
            }
        }
    }

    private static func next(_ byte: UInt8, in text: UnsafeBufferPointer<UInt8>, from index: Int) -> Int? {
        guard let start = text.baseAddress.map({ UnsafeRawPointer($0 + index) }),
            let found = memchr(start, Int32(byte), text.count - index)
        else { return nil }
        return index + start.distance(to: UnsafeRawPointer(found))
    }
}
