/** A LaTeX symbol in Unicode, and how it behaves beside others. */
export interface MathsSymbol {
  readonly class: "ordinary" | "function" | "binary" | "relation" | "open" | "close" | "space";
  readonly text: string;
}

/** What a command without arguments stands for, if Unicode has it. */
export function symbolOf(name: string): MathsSymbol | undefined {
  return symbols.get(name);
}

/** A letter in another dress (`mathbb`, `hat`, `vec`), if Unicode has it. */
export function letterOf(dress: string, letter: string): string | undefined {
  if (dress === "mathbb") return doubleStruck.get(letter);
  const mark = combining.get(dress);
  return mark !== undefined && /^\p{L}$/u.test(letter) ? letter + mark : undefined;
}

/** All of a text raised, or undefined if a character of it cannot be. */
export function toSuperscript(text: string): string | undefined {
  return mapped(text, superscripts);
}

/** All of a text lowered, or undefined if a character of it cannot be. */
export function toSubscript(text: string): string | undefined {
  return mapped(text, subscripts);
}

function mapped(text: string, table: ReadonlyMap<string, string>): string | undefined {
  const chars = Array.from(text, (char) => table.get(char));
  return chars.length > 0 && chars.every((char) => char !== undefined) ? chars.join("") : undefined;
}

const symbols = new Map<string, MathsSymbol>();

function name(kind: MathsSymbol["class"], pairs: string): void {
  for (const pair of pairs.trim().split(/\s+/)) {
    const [command = "", text = ""] = pair.split("=");
    symbols.set(command, { class: kind, text });
  }
}

name(
  "ordinary",
  `alpha=α beta=β gamma=γ delta=δ epsilon=ϵ varepsilon=ε zeta=ζ eta=η theta=θ vartheta=ϑ iota=ι
  kappa=κ lambda=λ mu=μ nu=ν xi=ξ omicron=ο pi=π varpi=ϖ rho=ρ varrho=ϱ sigma=σ varsigma=ς tau=τ
  upsilon=υ phi=ϕ varphi=φ chi=χ psi=ψ omega=ω Gamma=Γ Delta=Δ Theta=Θ Lambda=Λ Xi=Ξ Pi=Π Sigma=Σ
  Upsilon=Υ Phi=Φ Psi=Ψ Omega=Ω infty=∞ partial=∂ nabla=∇ emptyset=∅ varnothing=∅ forall=∀ exists=∃
  nexists=∄ neg=¬ lnot=¬ ell=ℓ hbar=ℏ Re=ℜ Im=ℑ aleph=ℵ prime=′ degree=° circ=∘ angle=∠ triangle=△
  ldots=… dots=… cdots=⋯ vdots=⋮ ddots=⋱ top=⊤ bot=⊥ checkmark=✓ dagger=† therefore=∴ because=∵
  %=% &=& $=$ #=# |=‖ Vert=‖ vert=∣`,
);
name(
  "binary",
  `pm=± mp=∓ times=× div=÷ cdot=· ast=∗ star=⋆ bullet=• oplus=⊕ ominus=⊖ otimes=⊗ odot=⊙ cup=∪ cap=∩
  setminus=∖ wedge=∧ land=∧ vee=∨ lor=∨`,
);
name(
  "relation",
  `le=≤ leq=≤ ge=≥ geq=≥ ne=≠ neq=≠ lt=< gt=> ll=≪ gg=≫ equiv=≡ approx=≈ sim=∼ simeq=≃ cong=≅ propto=∝
  in=∈ notin=∉ ni=∋ subset=⊂ supset=⊃ subseteq=⊆ supseteq=⊇ perp=⊥ parallel=∥ mid=∣ models=⊨ vdash=⊢
  to=→ rightarrow=→ leftarrow=← leftrightarrow=↔ Rightarrow=⇒ Leftarrow=⇐ Leftrightarrow=⇔
  implies=⟹ impliedby=⟸ iff=⟺ mapsto=↦ longrightarrow=⟶ uparrow=↑ downarrow=↓ prec=≺ succ=≻ colon=:`,
);
name(
  "function",
  `sin=sin cos=cos tan=tan cot=cot sec=sec csc=csc arcsin=arcsin arccos=arccos arctan=arctan sinh=sinh
  cosh=cosh tanh=tanh log=log ln=ln lg=lg exp=exp max=max min=min sup=sup inf=inf lim=lim det=det
  dim=dim ker=ker gcd=gcd deg=deg arg=arg Pr=Pr sum=∑ prod=∏ coprod=∐ int=∫ iint=∬ iiint=∭ oint=∮`,
);
name("open", "langle=⟨ lfloor=⌊ lceil=⌈ {={ lbrace={");
name("close", "rangle=⟩ rfloor=⌋ rceil=⌉ }=} rbrace=}");
for (const space of [",", ";", ":", ">", " ", "quad", "qquad"]) {
  symbols.set(space, { class: "space", text: " " });
}
symbols.set("!", { class: "space", text: "" });

function table(from: string, to: string): ReadonlyMap<string, string> {
  const targets = Array.from(to);
  return new Map(Array.from(from, (char, index) => [char, targets[index] ?? ""]));
}

const superscripts: ReadonlyMap<string, string> = new Map([
  ...table("0123456789+−=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾"),
  ...table("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"),
  ...table("ABDEGHIJKLMNOPRTUVW", "ᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂ"),
  ...table("βγδθϕχ", "ᵝᵞᵟᶿᵠᵡ"),
  ["∘", "°"],
  ["′", "′"],
]);

const subscripts = table(
  "0123456789+−=()aehijklmnoprstuvxβγρϕχ",
  "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ",
);

const doubleStruck = table("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "𝔸𝔹ℂ𝔻𝔼𝔽𝔾ℍ𝕀𝕁𝕂𝕃𝕄ℕ𝕆ℙℚℝ𝕊𝕋𝕌𝕍𝕎𝕏𝕐ℤ");

const combining: ReadonlyMap<string, string> = new Map([
  ["hat", "\u0302"],
  ["bar", "\u0304"],
  ["overline", "\u0305"],
  ["vec", "\u20d7"],
  ["dot", "\u0307"],
  ["ddot", "\u0308"],
  ["tilde", "\u0303"],
]);
