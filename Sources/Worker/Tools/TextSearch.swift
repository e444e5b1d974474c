internal import Glibc

/// Finds one text in others in linear time, by the search of Knuth, Morris and Pratt, which looks at each byte once. While nothing
/// has matched, it uses memchr(3), which is faster.
struct TextSearch {
    private let needle: [UInt8]
    /// For each number of bytes that have matched: how many of them still match if the next byte does not.
    private let fallback: [Int32]

    /// A search for `needle`, which must be shorter than 2 GiB. It takes four bytes of memory for each byte of it. An empty one
    /// is found nowhere.
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

    /// Calls `found` with the place of each occurrence, in order. Occurrences do not overlap.
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
