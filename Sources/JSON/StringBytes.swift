/// What a client sends is compared and cut by bytes. `==` on strings is that of Unicode: it holds different texts for equal,
/// and takes time in the square of the length where many marks stand on one letter. `prefix` counts such a heap as one.
extension String {
    /// Whether both are the same bytes.
    public func hasBytes(of other: String) -> Bool { utf8.elementsEqual(other.utf8) }

    /// The text, or its beginning where it is longer than any name that is known here; to be compared with those, or shown.
    public var bounded: String {
        utf8.count <= 200 ? self : String(String.UnicodeScalarView(unicodeScalars.prefix(100))) + "…"
    }
}
