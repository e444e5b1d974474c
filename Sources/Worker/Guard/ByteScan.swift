/// Finds the next byte of a kind, with one table look-up for each byte that it skips.
struct ByteScan: Sendable {
    private let stops: [Bool]

    init(_ isStop: (UInt8) -> Bool) { stops = (0...UInt8.max).map(isStop) }

    /// The index of the next such byte from `start` on; the end of the text if there is none.
    func next(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        stops.withUnsafeBufferPointer { stops in
            var index = start
            while index < text.count, !stops[Int(text[index])] { index += 1 }
            return index
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The byte at an index; 0 beyond the end, because no sequence that is searched for begins or goes on with 0.
    func byte(_ index: Int) -> UInt8 { index < count ? self[index] : 0 }

    /// The scalar at a lead byte of valid UTF-8, and its length in bytes.
    func scalar(at index: Int) -> (value: UInt32, length: Int) {
        let lead = self[index]
        let length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
        var value = length == 1 ? UInt32(lead) : UInt32(lead) & (0x7F >> UInt32(length))
        for offset in stride(from: 1, to: length, by: 1) { value = value << 6 | UInt32(byte(index + offset) & 0x3F) }
        return (value, length)
    }

    /// The scalar that ends before an index of valid UTF-8; nil at the beginning.
    func scalar(before index: Int) -> UInt32? {
        var lead = index - 1
        while lead > 0, self[lead] & 0xC0 == 0x80 { lead -= 1 }
        return lead < 0 ? nil : scalar(at: lead).value
    }
}

extension UInt32 {
    /// Whether the character has no shape of its own: Unicode's `Default_Ignorable_Code_Point` and the marks of
    /// annotations. `HiddenText` judges whether a text needs it.
    var isInvisible: Bool {
        switch self {
        case 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B...0x180F, 0x200B...0x200F, 0x202A...0x202E,
            0x2060...0x206F, 0x3164, 0xFE00...0xFE0F, 0xFEFF, 0xFFA0, 0xFFF0...0xFFFB, 0x1BCA0...0x1BCA3,
            0x1D173...0x1D17A, 0xE0000...0xE0FFF:
            true
        default: false
        }
    }
}
