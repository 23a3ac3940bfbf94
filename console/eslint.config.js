// Few rules, each for a fault that review misses.
import hooks from 'eslint-plugin-react-hooks'
import ts from 'typescript-eslint'

const rawColour = '/#[0-9a-fA-F]{3,8}\\b|\\b(rgb|hsl)a?\\(/'

export default ts.config(
  // Written by generators.
  { ignores: ['dist', 'node_modules', 'src/api/schema.d.ts', 'src/api/states.ts'] },
  {
    files: ['src/**/*.{ts,tsx}', 'dev/**/*.{ts,tsx}'],
    extends: [ts.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'react-hooks': hooks },
    rules: {
      // An `any` switches the compiler off where it is needed most.
      '@typescript-eslint/no-explicit-any': 'error',
      // A forgotten promise is a lost error.
      '@typescript-eslint/no-floating-promises': 'error',
      // A non-null claim is a crash that the compiler was told to ignore.
      '@typescript-eslint/no-non-null-assertion': 'error',
      // A switch over states must say what happens in each.
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: 'error',
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      // The browser's console keeps what it is given.
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]',
          message: 'Markup from data is never drawn.',
        },
      ],
      // Nothing is persisted but layout and theme, and that in one place.
      'no-restricted-globals': ['error', 'sessionStorage', 'localStorage', 'indexedDB', 'EventSource'],
    },
  },
  {
    files: ['src/features/**', 'src/routes/**', 'src/ui/**', 'src/app/**', 'dev/**'],
    ignores: ['src/ui/tokens.ts', '**/*.test.*'],
    rules: {
      // Contrast is computed for the tokens only. Repeats the markup rule, as this key replaces it.
      'no-restricted-syntax': [
        'error',
        { selector: `Literal[value=${rawColour}]`, message: 'Take a colour from ui/tokens.ts.' },
        { selector: `TemplateElement[value.raw=${rawColour}]`, message: 'Take a colour from ui/tokens.ts.' },
        {
          selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]',
          message: 'Markup from data is never drawn.',
        },
      ],
    },
  },
  { files: ['src/ui/preferences.ts', 'src/**/*.test.*'], rules: { 'no-restricted-globals': 'off' } },
)
